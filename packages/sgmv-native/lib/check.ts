/**
 * Shapes of what callers pass in. The engine checks meanings (does this token exist, does this prompt fit); here only
 * what C++ could not convert is refused, with the field's name.
 */
import { z } from 'zod';
import { EngineError } from './engine-error.js';

const count = z.number().int().min(0);
const tokens = z.union([
  z.instanceof(Int32Array),
  z.array(
    z
      .number()
      .int()
      .min(-(2 ** 31))
      .max(2 ** 31 - 1),
  ),
]);

export const engineOptionsSchema = z.strictObject({
  model: z.string().min(1),
  kvBlockSize: z.number().int().min(1).max(4096).optional(),
  kvBytes: count.optional(),
  adapterBytes: count.optional(),
  maxBatch: z.number().int().min(1).max(4096).optional(),
  maxStepTokens: z
    .number()
    .int()
    .min(1)
    .max(1 << 20)
    .optional(),
  threads: z.number().int().min(0).max(1024).optional(),
  isa: z.string().optional(),
  vocabulary: z.array(z.union([z.instanceof(Uint8Array), z.null()])).optional(),
});

export const requestSchema = z.strictObject({
  id: z.string().min(1),
  promptTokens: tokens,
  resumeTokens: tokens.optional(),
  adapter: z.string().min(1).optional(),
  sampling: z
    .strictObject({
      temperature: z.number().min(0).optional(),
      topK: z
        .number()
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .optional(),
      topP: z.number().gt(0).max(1).optional(),
      minP: z.number().min(0).max(1).optional(),
      seed: z.number().int().min(0).max(0xffff_ffff).optional(),
    })
    .optional(),
  maxTokens: z
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1),
  stop: z.array(z.string().min(1)).optional(),
  stopTokens: z
    .array(
      z
        .number()
        .int()
        .min(0)
        .max(2 ** 31 - 1),
    )
    .optional(),
  ignoreEos: z.boolean().optional(),
  logits: z.enum(['none', 'last', 'prompt']).optional(),
});

/** Throws EngineError `bad_argument` that names the first field at fault and what was expected. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') || 'argument';
  throw new EngineError('bad_argument', `${field}: ${issue?.message ?? 'has the wrong shape'}.`);
}
