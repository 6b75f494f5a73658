/**
 * Throughput of the engine: 32 concurrent requests, 64 random prompt tokens, 128 new tokens, greedy, end token
 * ignored, rank-16 adapters on all seven projections. Figure: new tokens per second, prefill included.
 * The popularities run in turns, round after round, so that a noisy machine is noisy for all of them.
 */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createEngine } from '@aril/sgmv-native';
import { POPULARITIES } from './popularity.mjs';
import { writeRandomAdapter } from './random-adapters.mjs';

const CACHE = process.env.ARIL_CACHE ?? join(homedir(), '.cache', 'aril');
const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];

/** Runs one batch of requests to the end; resolves with the seconds taken and each request's token times. */
function runBatch(engine, requests) {
  return new Promise((resolve, reject) => {
    const times = new Map(requests.map(({ id }) => [id, []]));
    let open = requests.length;
    let completionTokens = 0;
    const start = performance.now();
    engine.onEvents = (events) => {
      const now = performance.now() - start;
      for (const event of events) {
        if (event.type === 'tokens') times.get(event.id).push(...event.tokens.map(() => now));
        if (event.type !== 'end') continue;
        if (event.error) return reject(new Error(`${event.id}: ${event.error.code}: ${event.error.message}`));
        completionTokens += event.completionTokens;
        if (--open === 0) resolve({ seconds: now / 1000, times: [...times.values()], completionTokens });
      }
    };
    for (const request of requests) engine.submit(request);
  });
}

function requestsFor(assignment, { promptTokens, newTokens, vocabSize, round }) {
  return assignment.map((adapter, i) => ({
    id: `r${round}-${i}`,
    promptTokens: Array.from({ length: promptTokens }, (_, t) => 3 + ((i * 7919 + t * 104729 + round * 15485863) % (vocabSize - 3))),
    adapter: adapter < 0 ? undefined : `a${adapter}`,
    sampling: { temperature: 0 },
    maxTokens: newTokens,
    ignoreEos: true,
  }));
}

function latencies(runs) {
  const all = runs.flatMap((run) => run.times);
  const ttft = all.map((t) => t[0]).sort((a, b) => a - b);
  const tpot = all.map((t) => (t.at(-1) - t[0]) / (t.length - 1)).sort((a, b) => a - b);
  return { ttftMsP50: percentile(ttft, 0.5), ttftMsP99: percentile(ttft, 0.99), tpotMsP50: percentile(tpot, 0.5), tpotMsP99: percentile(tpot, 0.99) };
}

/** Returns rows `{id, value, target, unit}`. */
export async function benchEngine({ quick = false, model, batch = 32, rank = 16 } = {}) {
  const promptTokens = 64;
  const newTokens = quick ? 32 : 128;
  const rounds = quick ? 1 : 3;
  const weights = model ?? join(CACHE, 'models', 'SmolLM2-135M-Instruct.Q4_1.gguf');
  const engine = await createEngine({ model: weights, maxBatch: batch, adapterBytes: 4 * 2 ** 30 });
  const folder = join(CACHE, 'bench', `${engine.model.hiddenSize}x${engine.model.layers}-r${rank}`);
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < batch; i++) {
    writeRandomAdapter(join(folder, `a${i}`), engine.model, rank, i + 1);
    await engine.loadAdapter(`a${i}`, join(folder, `a${i}`));
  }
  console.log(`${engine.stats().device}; ${batch} requests, ${promptTokens} prompt + ${newTokens} new tokens, rank ${rank}, ${rounds} round(s)`);
  const shape = { promptTokens, newTokens, vocabSize: engine.model.vocabSize };
  await runBatch(engine, requestsFor(POPULARITIES.distinct(batch), { ...shape, newTokens: 4, round: 0 }));
  const runs = Object.fromEntries(Object.keys(POPULARITIES).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [name, assign] of Object.entries(POPULARITIES)) {
      runs[name].push(await runBatch(engine, requestsFor(assign(batch), { ...shape, round })));
    }
  }
  await engine.close();
  return report(runs);
}

function report(runs) {
  const rows = [];
  const rate = {};
  for (const [name, list] of Object.entries(runs)) {
    const rates = list.map((run) => run.completionTokens / run.seconds).sort((a, b) => a - b);
    rate[name] = percentile(rates, 0.5);
    rows.push({ id: `engine.${name}.throughput`, value: rate[name], target: name === 'distinct' ? 250 : null, unit: 'new tokens/s' });
    for (const [id, value] of Object.entries(latencies(list))) rows.push({ id: `engine.${name}.${id}`, value, target: null, unit: 'ms' });
  }
  rows.push({ id: 'engine.distinct/identical', value: rate.distinct / rate.identical, target: null, unit: 'ratio' });
  rows.push({ id: 'engine.distinct/base', value: rate.distinct / rate.base, target: null, unit: 'ratio' });
  return rows;
}
