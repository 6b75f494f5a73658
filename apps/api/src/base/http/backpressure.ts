/** Waiting for clients that read more slowly than they are written to: what they leave lying would pile up here. */
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { Response } from 'express';

/** Until there is room for more, or nobody to write it to. */
export async function untilRoom(response: Response): Promise<void> {
  if (response.writableNeedDrain && !response.destroyed) await orClosed(response, (signal) => once(response, 'drain', { signal }));
}

/** Until all that was written is on its way, or nobody is there. For writers that keep a queue of their own. */
export async function untilSent(response: Response): Promise<void> {
  await setImmediate();
  if (response.writableLength === 0 || response.destroyed) return;
  // Written behind the rest: nothing, of which its callback tells.
  await orClosed(response, () => new Promise((resolve) => response.write('', resolve)));
}

async function orClosed(response: Response, wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([wait(signal), once(response, 'close', { signal })]);
  } catch (error) {
    if (!response.destroyed) throw error;
  } finally {
    over.abort();
  }
}
