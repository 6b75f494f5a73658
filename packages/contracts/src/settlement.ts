import { z } from 'zod';
import { isErrorCode, type ErrorCode } from './errors.js';
import { FINISH_REASONS, predictionTokensSchema } from './generation-stream.js';

export const settledChoiceSchema = z.object({
  text: z.string(),
  finishReason: z.enum(FINISH_REASONS),
  completionTokens: z.number().int().min(0),
  /** Of these, those of its thought. */
  reasoningTokens: z.number().int().min(0).optional(),
});
export type SettledChoice = z.infer<typeof settledChoiceSchema>;

/**
 * The end of a generation, runner → API. The BullMQ job id is `settle-<generationId>`; delivery is at least once
 * and the settlement is applied once, in one transaction with the ledger row.
 */
export const settlementSchema = z.object({
  version: z.literal(1),
  generationId: z.uuid(),
  tenantId: z.uuid(),
  runnerId: z.string(),
  /** The fencing token the runner held. */
  fence: z.number().int().positive(),
  /** The first choice's. */
  text: z.string(),
  /** Every choice in order; null where there is one, whose text is above. */
  choices: z.array(settledChoiceSchema).nullable().default(null),
  finishReason: z.enum(FINISH_REASONS),
  /** Billed once, however many choices share them. */
  promptTokens: z.number().int().min(0),
  /** Of the prompt tokens, those that were not computed because an earlier request of the tenant had been. */
  cachedTokens: z.number().int().min(0).default(0),
  /** Of all choices together. */
  completionTokens: z.number().int().min(0),
  /** Of the completion tokens, those of thoughts. */
  reasoningTokens: z.number().int().min(0).optional(),
  predictionTokens: predictionTokensSchema.optional(),
  error: z
    .object({ code: z.custom<ErrorCode>(isErrorCode, 'expected a code of the error table'), message: z.string() })
    .nullable(),
  /** All in milliseconds. `queueMs`: enqueued → taken; `ttftMs`: taken → first token; `totalMs`: taken → end. */
  timings: z.object({
    queueMs: z.number().min(0),
    ttftMs: z.number().min(0).nullable(),
    totalMs: z.number().min(0),
  }),
  finishedAtMs: z.number().int(),
});
export type Settlement = z.infer<typeof settlementSchema>;

export const settlementJobId = (generationId: string): string => `settle-${generationId}`;
