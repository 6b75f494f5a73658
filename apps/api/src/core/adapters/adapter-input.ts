import { textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { ADAPTER_FILES } from './adapter-content.js';

const MIB = 1024 * 1024;
/** A configuration is a page of JSON; a bigger one is a mistake or an attack. */
const CONFIG_BYTES_MAX = MIB;

const slug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,62}$/, 'expected 2 to 63 of a-z, 0-9, "-", "_", ".", starting with a letter or digit');
const name = textWithoutNul.trim().min(1, 'expected a name').max(120, 'expected at most 120 characters');
const description = textWithoutNul.trim().max(2000, 'expected at most 2000 characters');
const file = z.object({
  name: z.enum(ADAPTER_FILES, `expected one of: ${ADAPTER_FILES.join(', ')}`),
  bytes: z.number().int('expected a whole number').positive('expected at least 1'),
});

const files = z
  .array(file)
  .refine(
    (given) => given.length === ADAPTER_FILES.length && new Set(given.map((one) => one.name)).size === given.length,
    `expected each of ${ADAPTER_FILES.join(' and ')} once`,
  )
  .refine(
    (given) => given.every((one) => one.name !== 'adapter_config.json' || one.bytes <= CONFIG_BYTES_MAX),
    `expected an adapter_config.json of at most ${CONFIG_BYTES_MAX} bytes`,
  );

export const createAdapterSchema = z.object({
  slug,
  name: name.nullish(),
  description: description.nullish(),
  baseModelId: textWithoutNul.min(1, 'expected the id of a base model'),
  files,
});
export type NewAdapter = z.infer<typeof createAdapterSchema>;

export const adapterSearchSchema = z.object({ search: textWithoutNul.nullish() });

export const updateAdapterSchema = z.object({ name: name.nullish(), description: description.nullish() });
