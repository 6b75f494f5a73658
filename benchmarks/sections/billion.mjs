/**
 * Targets 6 and 7: the shape of Llama 3.2 1B with random weights, 16 requests. At this size an adapter is small beside
 * the base model, as in Punica's own figures.
 */
import { join } from 'node:path';
import { decodeFloor, describeFloor } from '../floor.mjs';
import { measureLimits } from '../limits.mjs';
import { POPULARITIES } from '../popularity.mjs';
import { provideAdapters } from '../random-adapters.mjs';
import { LLAMA_1B, provideRandomModel } from '../random-model.mjs';
import { latencyRows, median, ratios, spreadRows } from '../statistics.mjs';
import { engineTurn } from '../turns.mjs';
import { POPULARITY_LABELS, randomPrompts } from '../workload.mjs';

const REQUESTS = 16;
const RANK = 16;
const PROMPT = 64;
const NAMES = ['base', 'identical', 'distinct'];
const SHAPE = {
  hiddenSize: LLAMA_1B.hidden_size,
  intermediateSize: LLAMA_1B.intermediate_size,
  layers: LLAMA_1B.num_hidden_layers,
  heads: LLAMA_1B.num_attention_heads,
  kvHeads: LLAMA_1B.num_key_value_heads,
  headDim: LLAMA_1B.head_dim,
};

export const section = {
  name: 'billion',
  targets: [6, 7],
  async run(context) {
    const model = provideRandomModel(join(context.cache, 'bench', 'llama-1b-random'), LLAMA_1B, context.note);
    const adapters = provideAdapters(context.cache, SHAPE, Array(REQUESTS).fill(RANK));
    const newTokens = context.quick ? 16 : 64;
    const runs = Object.fromEntries(NAMES.map((name) => [name, []]));
    const limits = await measureLimits();
    let turn;
    for (let round = 1; round <= context.rounds; round++) {
      context.note(`round ${round} of ${context.rounds}: 1B shape`);
      turn = await engineTurn(context, {
        model,
        adapters,
        newTokens,
        prompts: randomPrompts(REQUESTS, PROMPT, round),
        runs: NAMES.map((name) => ({ name, adapters: POPULARITIES[name](REQUESTS) })),
      });
      for (const run of turn.runs) runs[run.name].push(run);
    }
    return report(runs, turn, limits, PROMPT + newTokens / 2);
  },
};

function report(runs, turn, limits, context) {
  const rates = (name) => runs[name].map(({ tokens, seconds }) => tokens / seconds);
  const steps = (name) => runs[name].map(({ stepMs }) => median(stepMs));
  const rows = [
    ...spreadRows(
      'target6.1b.distinct/identical',
      ratios(rates('distinct'), rates('identical')),
      'ratio',
      0.9,
    ),
    ...spreadRows(
      'target7.1b.distinct-step/base-step',
      ratios(steps('distinct'), steps('base')),
      'ratio',
      1.12,
    ),
    ...spreadRows('1b.identical-step/base-step', ratios(steps('identical'), steps('base')), 'ratio'),
  ];
  const table = {
    name: 'billion',
    title: `1B Llama shape, random weights, ${REQUESTS} requests`,
    columns: ['Adapters', 'new tokens/s', 'decode step ms', 'step / floor', 'terms of the floor'],
    rows: [],
    plot: { x: 'decode step, ms', y: 'Adapters', values: [] },
  };
  for (const name of NAMES) {
    const adapters = new Set(POPULARITIES[name](REQUESTS).filter((i) => i >= 0)).size;
    const adapterBytes = (turn.adapterBytes / turn.adaptersResident) * adapters;
    const floor = decodeFloor(
      turn.info,
      { requests: REQUESTS, context, adapters, adapterBytes, rank: RANK },
      limits,
    );
    const stepMs = median(steps(name));
    rows.push(
      ...spreadRows(`1b.${name}.throughput`, rates(name), 'new tokens/s'),
      ...spreadRows(`1b.${name}.stepMs`, steps(name), 'ms'),
      ...latencyRows(`1b.${name}`, runs[name]),
      { id: `1b.${name}-step/floor`, value: stepMs / floor.ms, target: null, unit: 'ratio' },
    );
    const label = POPULARITY_LABELS[name];
    const cells = [median(rates(name)).toFixed(1), stepMs.toFixed(1), (stepMs / floor.ms).toFixed(2)];
    table.rows.push([label, ...cells, describeFloor(floor, limits)]);
    table.plot.values.push({ Adapters: label, 'decode step, ms': stepMs });
  }
  return { rows, tables: [table] };
}
