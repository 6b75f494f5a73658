import { z } from 'zod';
import { baseModelId, description, name, slug } from '../targets/target-input.js';
import { ADAPTER_FILES } from './adapter-content.js';

const MIB = 1024 * 1024;
/** A configuration is a page of JSON; a bigger one is a mistake or an attack. */
export const CONFIG_BYTES_MAX = MIB;

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
  baseModelId,
  files,
});
export type NewAdapter = z.infer<typeof createAdapterSchema>;

export const updateAdapterSchema = z.object({ name: name.nullish(), description: description.nullish() });
