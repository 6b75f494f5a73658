import { z } from 'zod';
import { isErrorCode, type ErrorCode } from './errors.js';
import { generationInputSchema } from './generation-job.js';

/** API → runner, answered by the job's return value. Nothing is generated, and nothing costs anything. */
export const tokenCountJobSchema = z.object({ version: z.literal(1), input: generationInputSchema });
export type TokenCountJob = z.infer<typeof tokenCountJobSchema>;

export const tokenCountSchema = z.union([
  z.object({ tokens: z.number().int().min(0) }),
  z.object({ error: z.object({ code: z.custom<ErrorCode>(isErrorCode, 'expected a code of the error table'), message: z.string() }) }),
]);
export type TokenCount = z.infer<typeof tokenCountSchema>;
