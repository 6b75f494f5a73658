import { z } from 'zod';
import { isErrorCode, type ErrorCode } from './errors.js';

/**
 * A generation's events in its Redis Stream, written by the runner that holds the fence, read by any API process.
 * `seq` counts from 1 without gaps over all choices and is also the entry id (`<seq>-0`), so Redis itself refuses a
 * repeat. An entry has the single field `d`, the JSON of one event.
 */
export const FINISH_REASONS = ['stop', 'length', 'cancelled', 'error'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

/** Control characters. Where such a model writes them by other tokens, its text has U+FFFD. */
export const CHANNEL_MARKS = { START: '\u0001', CHANNEL: '\u0002', MESSAGE: '\u0003', CONSTRAIN: '\u0004', END: '\u0005' } as const;

const seq = z.number().int().positive();
/** Counts from 0; there is only 0 unless the job asked for several. */
const choice = z.number().int().min(0).default(0);

/**
 * `text` is for people: bytes that are no UTF-8 of their own are replaced in it. `bytes` null: a special token.
 * Log probabilities are the model's own, before penalties, bias and temperature; -9999 stands for "never".
 */
const scoredTokenSchema = z.object({
  token: z.number().int(),
  text: z.string(),
  bytes: z.array(z.number().int().min(0).max(255)).nullable(),
  logprob: z.number(),
});
export type ScoredToken = z.infer<typeof scoredTokenSchema>;

/** The token that was chosen, and the likeliest ones at its place, itself included where it is one of them. */
export const tokenLogprobSchema = scoredTokenSchema.extend({ top: z.array(scoredTokenSchema) });
export type TokenLogprob = z.infer<typeof tokenLogprobSchema>;

/** The prompt, if the job asks for its echo; of all choices, and before the first token of any. */
export const promptEventSchema = z.object({
  type: z.literal('prompt'),
  seq,
  text: z.string(),
  /** The text of its first token, which has no log probability: nothing is before it. */
  opening: z.string(),
  /** Of its other tokens; null when not asked for. */
  logprobs: z.array(tokenLogprobSchema).nullable(),
});

/**
 * New tokens and the text they release. Text can lag behind tokens (unfinished UTF-8, a possible stop string). The text of
 * a choice that thinks begins with the mark, `<think>`, also where the model's template wrote that. A choice of a model that
 * writes messages in channels (gpt-oss) has reasoning tokens as soon as it has a header, and in its text `CHANNEL_MARKS` for
 * special tokens: each message is a header, up to MESSAGE, and what is said, up to END. The text begins in the first header.
 */
export const tokensEventSchema = z.object({
  type: z.literal('tokens'),
  seq,
  choice,
  tokens: z.array(z.number().int()),
  text: z.string(),
  /** Tokens that are known by now to be of the thought: these, or earlier ones too. Absent: none. */
  reasoningTokens: z.number().int().min(0).optional(),
  /** One per token; null when not asked for. */
  logprobs: z.array(tokenLogprobSchema).nullable().default(null),
});

/** The stop string that ended a choice, which is not in its text. */
const stop = z.string().optional();

/** A choice has ended and others go on. `text` is what was still held back and turned out to be wanted. */
export const choiceEndEventSchema = z.object({
  type: z.literal('choiceEnd'),
  seq,
  choice,
  text: z.string(),
  /** Of the choice, where its text is here and in no event before. */
  reasoningTokens: z.number().int().min(0).optional(),
  finishReason: z.enum(FINISH_REASONS),
  stop,
});

/** Tokens of the job's prediction, of every choice: those that its answer has, and those that it has not. */
export const predictionTokensSchema = z.object({ accepted: z.number().int().min(0), rejected: z.number().int().min(0) });
export type PredictionTokens = z.infer<typeof predictionTokensSchema>;

/**
 * The last event. It ends every choice that had not ended; its text is that of `choice`, the last one to end.
 * Counts are those of the whole generation.
 */
export const endEventSchema = z.object({
  type: z.literal('end'),
  seq,
  choice,
  text: z.string(),
  finishReason: z.enum(FINISH_REASONS),
  stop,
  promptTokens: z.number().int().min(0),
  /** Of the prompt tokens, those that were found computed. */
  cachedTokens: z.number().int().min(0).default(0),
  completionTokens: z.number().int().min(0),
  /** Of these, those of thoughts, their marks included. */
  reasoningTokens: z.number().int().min(0).optional(),
  /** Absent: there was no prediction, or no engine to follow it. */
  predictionTokens: predictionTokensSchema.optional(),
  error: z
    .object({ code: z.custom<ErrorCode>(isErrorCode, 'expected a code of the error table'), message: z.string() })
    .nullable(),
});

export const generationEventSchema = z.discriminatedUnion('type', [
  promptEventSchema,
  tokensEventSchema,
  choiceEndEventSchema,
  endEventSchema,
]);
export type GenerationEvent = z.infer<typeof generationEventSchema>;
export type PromptEvent = z.infer<typeof promptEventSchema>;
export type TokensEvent = z.infer<typeof tokensEventSchema>;
export type ChoiceEndEvent = z.infer<typeof choiceEndEventSchema>;
export type EndEvent = z.infer<typeof endEventSchema>;
