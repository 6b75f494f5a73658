/** The entry of a grammar thread: calls in, one reply each out, in order. */
import { parentPort, workerData } from 'node:worker_threads';
import { EngineError } from '../engine-error.js';
import { GrammarHost } from './grammar-host.js';
import type { GrammarCall, GrammarReply, GrammarThreadData } from './protocol.js';

const port = parentPort!;
const host = new GrammarHost(workerData as GrammarThreadData);
let last = Promise.resolve();

async function answer(call: GrammarCall): Promise<void> {
  if (call.call === 'close') return host.close(call.matcher);
  try {
    const places = await host.masks(call);
    port.postMessage(
      { places } satisfies GrammarReply,
      places.map(({ mask }) => mask.buffer),
    );
  } catch (error) {
    // Anything else ends the thread: its instance cannot be trusted any more.
    if (!(error instanceof EngineError)) throw error;
    port.postMessage({ code: error.code, reason: error.message } satisfies GrammarReply);
  }
}

port.on('message', (call: GrammarCall) => {
  last = last.then(() => answer(call));
});
