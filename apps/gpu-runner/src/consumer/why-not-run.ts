import { ArilError, type GenerationJob, type Transcript } from '@aril/contracts';
import type { TakenGeneration } from '../redis/take-generation.js';

/**
 * Takes that may pass without one new token. A request that kills its runner every time would otherwise go from
 * runner to runner until its deadline; kills that have nothing to do with it do not come twenty in a row.
 */
const FRUITLESS_TAKES_MAX = 20;

/** `null`: run it. Otherwise how it ends without the engine. */
export function whyNotRun(
  job: GenerationJob,
  baseModelId: string,
  taken: TakenGeneration,
  emitted: Transcript,
): 'cancelled' | ArilError | null {
  if (job.baseModelId !== baseModelId) {
    return new ArilError('MODEL_NOT_FOUND', `This runner serves ${baseModelId}, the request is for ${job.baseModelId}.`);
  }
  if (taken.cancelled) return 'cancelled';
  if (Date.now() > job.deadlineMs) {
    return new ArilError('TIMED_OUT', 'The generation was not started or finished before its deadline.');
  }
  // Each take that brought a token raises the limit by that token, so progress is never cut short.
  const interrupted = taken.fence - 1 - taken.handedBack;
  if (interrupted >= FRUITLESS_TAKES_MAX + emitted.tokenCount) {
    return new ArilError('RUNNER_LOST', `The generation was interrupted ${interrupted} times.`);
  }
  return null;
}
