/** Waits until a process answers, and says why when it does not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { logTail } from '../../packages/local-services/src/process.mjs';
import { Failure } from './failure.mjs';

/** @param {string} url @returns {Promise<string | null>} null when healthy, else what it answered */
async function probe(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000), redirect: 'manual' });
    if (response.ok) return null;
    return `${response.status} ${(await response.text()).slice(0, 200)}`;
  } catch (error) {
    return error.cause?.code ?? error.message;
  }
}

/**
 * @param {{ name: string, url: string, timeoutMs?: number, find: () => { log: string, isRunning?: () => boolean } | undefined }} target
 * A process that ends while it is waited for has a configuration or a build at fault: waiting longer would not help.
 */
export async function waitUntilHealthy({ name, url, timeoutMs = 90_000, find }) {
  const first = find();
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await probe(url);
    if (answer === null) return;
    const running = find();
    if (running !== first || running?.isRunning?.() === false)
      throw new Failure(`${name} ended while it was starting.`, 'The log says why.', { log: first?.log });
    if (Date.now() > deadline)
      throw new Failure(
        `${name} did not become healthy within ${timeoutMs / 1000} s (${url}: ${answer}).`,
        'The log may say why.',
        { log: running?.log, detail: running ? logTail(running.log, 3) : undefined },
      );
    await sleep(100);
  }
}
