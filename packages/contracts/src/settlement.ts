import { z } from 'zod';
import { isErrorCode, type ErrorCode } from './errors.js';
import { FINISH_REASONS } from './generation-stream.js';

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
  text: z.string(),
  finishReason: z.enum(FINISH_REASONS),
  promptTokens: z.number().int().min(0),
  completionTokens: z.number().int().min(0),
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
