import { z } from 'zod';

/**
 * How the next token is chosen and when to stop. The same names and ranges hold in GraphQL, REST and the engine.
 * `temperature` 0 is greedy. `seed` makes sampling repeatable: the draw depends on (seed, position) only.
 */
export const samplingSchema = z.object({
  temperature: z.number().min(0).max(2).default(1),
  topP: z.number().gt(0).max(1).default(1),
  /** 0 = all tokens. */
  topK: z.number().int().min(0).max(1_000_000).default(0),
  minP: z.number().min(0).max(1).default(0),
  /** Unsigned 32 bit; chosen by the API when the caller gives none, so that a replay repeats it. */
  seed: z.number().int().min(0).max(0xffff_ffff),
  maxTokens: z.number().int().min(1),
  /** Generation ends before the first occurrence of any of these; they are not part of the text. */
  stop: z.array(z.string().min(1).max(256)).max(8).default([]),
  /** Token ids that end the generation, besides the model's own end tokens. */
  stopTokens: z.array(z.number().int().min(0)).max(64).default([]),
  /** Do not stop at the model's own end tokens. */
  ignoreEos: z.boolean().default(false),
});

export type Sampling = z.infer<typeof samplingSchema>;
