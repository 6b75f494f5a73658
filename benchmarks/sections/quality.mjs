/**
 * What narrower numbers cost in quality, for every combination of base weights, adapters and KV cache. The golden
 * greedy tokens are fed in (teacher forcing), so that every position stays comparable after a first difference.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEngine } from '@aril/sgmv-native';
import { findAdapter, readGolden, readReference, sampleLogits } from '../../packages/sgmv-native/dist/cli/golden-file.js';
import { SafetensorsFile } from '../../packages/sgmv-native/dist/cli/safetensors.js';
import { argmax, klDivergence } from '../logits.mjs';

const GOLDEN = fileURLToPath(new URL('../../packages/sgmv-native/test/golden/smollm2', import.meta.url));
/** Where the golden best logit leads by less, rounding may decide. */
const GAP = 0.5;
const WEIGHTS = ['f32', 'bf16', 'int8'];
const ADAPTERS = ['stored', 'bf16', 'int8'];
const KV = ['f32', 'f16'];
const REFERENCE = { weightType: 'f32', adapterType: 'stored', kvType: 'f32' };

function combinations(quick) {
  const all = WEIGHTS.flatMap((weightType) =>
    ADAPTERS.flatMap((adapterType) => KV.map((kvType) => ({ weightType, adapterType, kvType }))),
  );
  const few = all.filter(({ adapterType, kvType }) => adapterType === 'stored' && kvType === 'f32');
  const rest = (quick ? few : all).filter((one) => nameOf(one) !== nameOf(REFERENCE));
  // Without options: what users get.
  return [REFERENCE, {}, ...rest];
}

const nameOf = ({ weightType, adapterType, kvType }) =>
  weightType ? `weights-${weightType}.adapters-${adapterType}.kv-${kvType}` : 'default';

async function readCases() {
  if (!existsSync(join(GOLDEN, 'golden.json'))) throw new Error(`${GOLDEN} is missing.`);
  const golden = readGolden(GOLDEN);
  const file = await SafetensorsFile.open(join(GOLDEN, 'golden.safetensors'));
  try {
    const cases = [];
    for (const one of golden.cases)
      cases.push({ ...one, golden: await readReference(file, one.name) });
    return cases;
  } finally {
    await file.close();
  }
}

/** The logits that chose each greedy token, [greedy.length][vocab], from one prefill of prompt and answer. */
function teacherForced(engine, { name, adapter, promptTokens, greedy }) {
  return new Promise((resolve, reject) => {
    const vocab = engine.model.vocabSize;
    let rows;
    engine.onEvents = (events) => {
      for (const event of events) {
        if (event.type === 'prompt') {
          const at = (i) => (promptTokens.length - 1 + i) * vocab;
          rows = greedy.map((_, i) => event.logits.slice(at(i), at(i) + vocab));
        } else if (event.type === 'end') {
          if (event.error) reject(new Error(`${name}: ${event.error.code}: ${event.error.message}`));
          else resolve(rows);
        }
      }
    };
    engine.submit({
      id: name,
      adapter: adapter ?? undefined,
      promptTokens: [...promptTokens, ...greedy.slice(0, -1)],
      maxTokens: 1,
      ignoreEos: true,
      logits: 'prompt',
    });
  });
}

class Tally {
  goldenKl = [];
  referenceKl = [];
  tokens = 0;
  equal = 0;
  clearTokens = 0;
  clearDifferent = 0;

  add({ golden, greedy, gaps }, rows, reference) {
    this.goldenKl.push(klDivergence(golden.data, sampleLogits(rows[0], 1, golden)));
    rows.forEach((row, i) => {
      const same = argmax(row) === greedy[i];
      this.tokens++;
      if (same) this.equal++;
      if (gaps[i] > GAP) {
        this.clearTokens++;
        if (!same) this.clearDifferent++;
      }
      if (reference) this.referenceKl.push(klDivergence(reference[i], row));
    });
  }
}

/** @returns {Promise<{ tally: Tally, logits: Float32Array[][] }>} */
async function measure(context, types, cases, reference) {
  const engine = await createEngine({ model: context.model, adapterBytes: 4 * 2 ** 30, ...types });
  try {
    const tally = new Tally();
    const logits = [];
    for (const [i, one] of cases.entries()) {
      if (one.adapter) await engine.loadAdapter(one.adapter, findAdapter(one.adapter, GOLDEN, undefined));
      const rows = await teacherForced(engine, one);
      tally.add(one, rows, reference?.[i]);
      if (!reference) logits.push(rows);
    }
    return { tally, logits };
  } finally {
    await engine.close();
  }
}

export const section = {
  name: 'quality',
  targets: [],
  async run(context) {
    const cases = await readCases();
    const results = new Map();
    let reference;
    for (const types of combinations(context.quick)) {
      const name = nameOf(types);
      context.note(`quality: ${name}`);
      try {
        const { tally, logits } = await measure(context, types, cases, reference);
        if (types === REFERENCE) reference = logits;
        results.set(name, tally);
      } catch (error) {
        if (error.code !== 'bad_argument') throw error;
        context.note(`${name} is skipped: the engine refuses it: ${error.message}`);
      }
    }
    return report(results);
  },
};

const mean = (values) => (values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : null);

function report(results) {
  const rows = [];
  const table = {
    name: 'quality',
    title: 'Quality against the float32 golden outputs',
    columns: [
      'Weights, adapters, KV',
      'KL to golden, first token: mean / max',
      'KL to our f32, all tokens: mean / max',
      'top-1 agreement',
      `greedy different where gap > ${GAP}`,
    ],
    rows: [],
    plot: { x: 'KL to golden, mean', y: 'Weights, adapters, KV', log: true, values: [] },
  };
  const pair = (values) =>
    values.length > 0 ? `${mean(values).toExponential(1)} / ${Math.max(...values).toExponential(1)}` : '';
  for (const [name, tally] of results) {
    const row = (id, value, unit, target = null) =>
      rows.push({ id: `quality.${name}.${id}`, value, target, unit });
    row('klGoldenMean', mean(tally.goldenKl), 'nats');
    row('klGoldenMax', Math.max(...tally.goldenKl), 'nats');
    if (tally.referenceKl.length > 0) row('klF32Mean', mean(tally.referenceKl), 'nats');
    row('top1Agreement', tally.equal / tally.tokens, 'ratio');
    row('greedyDifferent', tally.tokens - tally.equal, 'tokens');
    row('greedyDifferentAboveGap', tally.clearDifferent, 'tokens', name === 'default' ? 0 : null);
    const agreement = `${tally.equal} of ${tally.tokens}`;
    const clear = `${tally.clearDifferent} of ${tally.clearTokens}`;
    table.rows.push([name, pair(tally.goldenKl), pair(tally.referenceKl), agreement, clear]);
    table.plot.values.push({ 'Weights, adapters, KV': name, 'KL to golden, mean': mean(tally.goldenKl) });
  }
  return { rows, tables: [table] };
}
