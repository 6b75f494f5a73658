/** One batch of requests on an engine, submitted together, run to the end, timed from outside. */
import { requestLatency } from './workload.mjs';

/**
 * @typedef {object} BatchRun
 * @property {number} seconds from the first submit to the last token
 * @property {number} tokens new tokens
 * @property {number[]} ttftMs @property {number[]} tpotMs one per request
 * @property {number[]} stepMs of the steps in which every request decoded
 */

/** @returns {Promise<BatchRun>} */
export function runBatch(engine, requests) {
  return new Promise((resolve, reject) => {
    const times = new Map(requests.map(({ id }) => [id, []]));
    const stepMs = [];
    let open = requests.length;
    let tokens = 0;
    let full = NaN; // when the last step ended in which every request got a token
    const start = performance.now();
    engine.onEvents = (events) => {
      const now = performance.now() - start;
      let advanced = 0;
      for (const event of events) {
        if (event.type === 'tokens') {
          for (let i = 0; i < event.tokens.length; i++) times.get(event.id).push(now);
          advanced++;
        } else if (event.type === 'end') {
          if (event.error)
            return reject(new Error(`${event.id}: ${event.error.code}: ${event.error.message}`));
          tokens += event.completionTokens;
          open--;
        }
      }
      // Steps shorter than a turn of the event loop arrive together.
      const steps = advanced / requests.length;
      if (Number.isInteger(steps) && now > full)
        for (let i = 0; i < steps; i++) stepMs.push((now - full) / steps);
      full = Number.isInteger(steps) && steps > 0 ? now : NaN;
      if (open === 0) resolve(summary(now, tokens, times, stepMs));
    };
    for (const request of requests) engine.submit(request);
  });
}

function summary(now, tokens, times, stepMs) {
  const latencies = [...times.values()].map(requestLatency);
  return {
    seconds: now / 1000,
    tokens,
    ttftMs: latencies.map(({ ttftMs }) => ttftMs),
    tpotMs: latencies.map(({ tpotMs }) => tpotMs),
    stepMs,
  };
}

/** Requests of one run: the i-th prompt with the i-th adapter. */
export function batchRequests(name, prompts, adapters, newTokens) {
  return prompts.map((promptTokens, i) => ({
    id: `${name}-${i}`,
    promptTokens,
    adapter: adapters[i] < 0 ? undefined : `a${adapters[i]}`,
    sampling: { temperature: 0 },
    maxTokens: newTokens,
    ignoreEos: true,
  }));
}
