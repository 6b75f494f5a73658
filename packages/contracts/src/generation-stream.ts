import { z } from 'zod';
import { isErrorCode, type ErrorCode } from './errors.js';

/**
 * A generation's events in its Redis Stream, written by the runner that holds the fence, read by any API process.
 * `seq` counts from 1 without gaps and is also the entry id (`<seq>-0`), so Redis itself refuses a repeat.
 * An entry has the single field `d`, the JSON of one event.
 */
export const FINISH_REASONS = ['stop', 'length', 'cancelled', 'error'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

/** New tokens and the text they release. Text can lag behind tokens (unfinished UTF-8, a possible stop string). */
export const tokensEventSchema = z.object({
  type: z.literal('tokens'),
  seq: z.number().int().positive(),
  tokens: z.array(z.number().int()),
  text: z.string(),
});

/** The last event. `text` is what was still held back and turned out to be wanted. */
export const endEventSchema = z.object({
  type: z.literal('end'),
  seq: z.number().int().positive(),
  text: z.string(),
  finishReason: z.enum(FINISH_REASONS),
  promptTokens: z.number().int().min(0),
  completionTokens: z.number().int().min(0),
  error: z
    .object({ code: z.custom<ErrorCode>(isErrorCode, 'expected a code of the error table'), message: z.string() })
    .nullable(),
});

export const generationEventSchema = z.discriminatedUnion('type', [tokensEventSchema, endEventSchema]);
export type GenerationEvent = z.infer<typeof generationEventSchema>;
export type TokensEvent = z.infer<typeof tokensEventSchema>;
export type EndEvent = z.infer<typeof endEventSchema>;
