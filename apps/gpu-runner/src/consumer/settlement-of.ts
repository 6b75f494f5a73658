import type { GenerationJob, Settlement, Transcript } from '@aril/contracts';
import type { TakenGeneration } from '../redis/take-generation.js';
import type { EndWithoutSeq } from './stream-channel.js';

/** The report of a generation's end. `emitted` is all that callers have seen, the end included. */
export function settlementOf(
  job: GenerationJob,
  runnerId: string,
  taken: TakenGeneration,
  emitted: Transcript,
  end: EndWithoutSeq,
): Settlement {
  const now = Date.now();
  const { takenAtMs, firstTokenAtMs } = taken;
  // Clocks of API and runners differ a little; a negative duration would be refused.
  const span = (from: number, to: number): number => Math.max(to - from, 0);
  return {
    version: 1,
    generationId: job.generationId,
    tenantId: job.tenantId,
    runnerId,
    fence: taken.fence,
    text: emitted.choice(0).text,
    choices: emitted.settledChoices(),
    finishReason: emitted.finishReason,
    promptTokens: end.promptTokens,
    cachedTokens: end.cachedTokens,
    completionTokens: end.completionTokens,
    reasoningTokens: end.reasoningTokens,
    predictionTokens: end.predictionTokens,
    error: end.error,
    timings: {
      queueMs: span(job.enqueuedAtMs, takenAtMs),
      ttftMs: firstTokenAtMs === null ? null : span(takenAtMs, firstTokenAtMs),
      totalMs: span(takenAtMs, now),
    },
    finishedAtMs: now,
  };
}
