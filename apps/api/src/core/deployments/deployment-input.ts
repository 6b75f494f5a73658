import { textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { baseModelId, description, name, slug } from '../targets/target-input.js';

const VARIANTS_MAX = 16;
const WEIGHT_MAX = 1000;

const WEIGHT = `expected a whole number from 0 to ${WEIGHT_MAX}`;
const COUNT = `expected 1 to ${VARIANTS_MAX} variants`;

const variant = z.object({
  id: z.uuid('expected the id of a variant of this deployment').nullish(),
  target: textWithoutNul.min(1, "expected an adapter's slug or the id of the base model"),
  weight: z.number().int(WEIGHT).min(0, WEIGHT).max(WEIGHT_MAX, WEIGHT),
});
export type AskedVariant = z.infer<typeof variant>;

const unique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

const variants = z
  .array(variant)
  .min(1, COUNT)
  .max(VARIANTS_MAX, COUNT)
  .refine((given) => unique(given.map(({ target }) => target)), 'expected every target once')
  .refine((given) => unique(given.flatMap(({ id }) => id ?? [])), 'expected every id once')
  .refine((given) => given.some(({ weight }) => weight > 0), 'expected a weight above 0 for one of them at least');

export const createDeploymentSchema = z.object({
  slug,
  name: name.nullish(),
  description: description.nullish(),
  baseModelId,
  variants,
});

export const updateDeploymentSchema = z.object({
  name: name.nullish(),
  description: description.nullish(),
  variants: variants.nullish(),
});
