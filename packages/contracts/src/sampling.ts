import { z } from 'zod';

/** OpenAI states no limit; three hundred ids are more than any use of it needs, and a job stays small. */
export const LOGIT_BIAS_ENTRIES_MAX = 300;

const penalty = z.number().min(-2).max(2).default(0);

const tokenIdText = z
  .string()
  .regex(/^\d{1,10}$/, 'expected a token id')
  .refine((id) => Number(id) < 2 ** 31, 'expected a token id');

/** Token id → what is added to its logit. */
export const logitBiasSchema = z
  .record(tokenIdText, z.number().min(-100).max(100))
  .refine((bias) => Object.keys(bias).length <= LOGIT_BIAS_ENTRIES_MAX, `expected at most ${LOGIT_BIAS_ENTRIES_MAX} token ids`);

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
  /** Divides the positive logits of tokens that the prompt or the output has, multiplies the negative ones; 1 = off. */
  repetitionPenalty: z.number().gt(0).max(2).default(1),
  /** Subtracted from a token's logit once per occurrence in the output. */
  frequencyPenalty: penalty,
  /** Subtracted from the logit of every token that the output has. */
  presencePenalty: penalty,
  logitBias: logitBiasSchema.default({}),
  /** Unsigned 32 bit; chosen by the API when the caller gives none, so that a replay repeats it. */
  seed: z.number().int().min(0).max(0xffff_ffff),
  /** 0: the prompt alone is computed, for its log probabilities. */
  maxTokens: z.number().int().min(0),
  /** The model's end tokens and `stopTokens` cannot be chosen before the generation has this many tokens. */
  minTokens: z.number().int().min(0).default(0),
  /** Generation ends before the first occurrence of any of these; they are not part of the text. */
  stop: z.array(z.string().min(1).max(256)).max(8).default([]),
  /** Token ids that end the generation, besides the model's own end tokens. */
  stopTokens: z.array(z.number().int().min(0)).max(64).default([]),
  /** Do not stop at the model's own end tokens. */
  ignoreEos: z.boolean().default(false),
});

export type Sampling = z.infer<typeof samplingSchema>;
