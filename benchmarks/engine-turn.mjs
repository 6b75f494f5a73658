/**
 * Our side of a turn, in a process of its own like the peers': node engine-turn.mjs SPEC OUT. The specification is
 * that of workload.mjs; `options` in it go to createEngine.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createEngine } from '@aril/sgmv-native';
import { batchRequests, runBatch } from './batch-run.mjs';

const [specFile, outFile] = process.argv.slice(2);
const spec = JSON.parse(readFileSync(specFile, 'utf8'));
const { model, options, adapters, prompts, runs, newTokens } = spec;

const engine = await createEngine({
  model,
  maxBatch: prompts.length,
  adapterBytes: 16 * 2 ** 30,
  // Runs share their prompts: one must not find what another has computed.
  prefixCache: false,
  ...options,
});
for (const [i, folder] of adapters.entries()) await engine.loadAdapter(`a${i}`, folder);
const { device, adapterBytes, adaptersResident } = engine.stats();

// Pages, threads and clocks warm up on a run that is not counted, as long as those that are.
await runBatch(engine, batchRequests('warm-up', prompts, runs.at(-1).adapters, newTokens));
const results = [];
for (const { name, adapters: assignment, newTokens: own } of runs) {
  const run = await runBatch(engine, batchRequests(name, prompts, assignment, own ?? newTokens));
  results.push({ name, ...run });
}
const info = { ...engine.stats(), ...engine.model };
await engine.close();
writeFileSync(outFile, JSON.stringify({ device, adapterBytes, adaptersResident, info, runs: results }));
