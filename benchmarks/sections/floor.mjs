/** Target 5: a decode step with 32 adapters against the machine's limits, measured beside it. */
import { decodeFloor, describeFloor } from '../floor.mjs';
import { limitRows, measureLimits } from '../limits.mjs';
import { POPULARITIES } from '../popularity.mjs';
import { provideAdapters } from '../random-adapters.mjs';
import { median, ratios, spreadRows } from '../statistics.mjs';
import { engineTurn } from '../turns.mjs';
import { POPULARITY_LABELS, randomPrompts } from '../workload.mjs';

const REQUESTS = 32;
const RANK = 16;
const PROMPT = 64;
const NAMES = ['base', 'identical', 'distinct'];

export const section = {
  name: 'floor',
  targets: [5],
  async run(context) {
    const newTokens = context.quick ? 32 : 128;
    const adapters = provideAdapters(context.cache, context.modelInfo, Array(REQUESTS).fill(RANK));
    const steps = Object.fromEntries(NAMES.map((name) => [name, []]));
    const rounds = [];
    for (let round = 1; round <= context.rounds; round++) {
      context.note(`round ${round} of ${context.rounds}: limits, then steps`);
      const limits = await measureLimits();
      const turn = await engineTurn(context, {
        model: context.model,
        adapters,
        newTokens,
        prompts: randomPrompts(REQUESTS, PROMPT, round, context.modelInfo.vocabSize),
        runs: NAMES.map((name) => ({ name, adapters: POPULARITIES[name](REQUESTS) })),
      });
      rounds.push({ limits, turn });
      for (const { name, stepMs } of turn.runs) steps[name].push(median(stepMs));
    }
    return report(steps, rounds, PROMPT + newTokens / 2);
  },
};

/** The floor in each round, from the limits measured in it. The median step is the one in the middle of decoding. */
function floorsOf(name, rounds, context) {
  const adapters = new Set(POPULARITIES[name](REQUESTS).filter((i) => i >= 0)).size;
  return rounds.map(({ limits, turn }) => {
    const adapterBytes = (turn.adapterBytes / turn.adaptersResident) * adapters;
    const step = { requests: REQUESTS, context, adapters, adapterBytes, rank: RANK };
    return decodeFloor(turn.info, step, limits);
  });
}

function report(steps, rounds, context) {
  const { limits } = rounds.at(-1);
  const rows = limitRows(rounds.map((round) => round.limits));
  const table = {
    name: 'floor',
    title: `Decode step, ${REQUESTS} requests: time against the machine's floor`,
    columns: ['Adapters', 'step ms', 'floor ms', 'step / floor', 'terms, last round'],
    rows: [],
    plot: { x: 'ms', y: 'What', facet: 'Adapters', values: [] },
  };
  for (const name of NAMES) {
    const floors = floorsOf(name, rounds, context);
    const of = (part) => floors.map((floor) => floor[part]);
    const distinct = name === 'distinct';
    const id = distinct ? 'target5.distinct-step/floor' : `floor.${name}-step/floor`;
    rows.push(
      ...spreadRows(id, ratios(steps[name], of('ms')), 'ratio', distinct ? 1.35 : null),
      ...spreadRows(`floor.${name}.stepMs`, steps[name], 'ms'),
      ...['ms', 'bytesMs', 'operationsMs'].flatMap((part) =>
        spreadRows(`floor.${name}.${part}`, of(part), 'ms'),
      ),
    );
    const label = POPULARITY_LABELS[name];
    const [stepMs, floorMs] = [steps[name], of('ms')].map(median);
    const ratio = median(ratios(steps[name], of('ms')));
    const terms = describeFloor(floors.at(-1), limits);
    table.rows.push([label, stepMs.toFixed(1), floorMs.toFixed(1), ratio.toFixed(2), terms]);
    for (const [What, ms] of [
      ['step', stepMs],
      ['bytes', median(of('bytesMs'))],
      ['operations', median(of('operationsMs'))],
    ]) {
      table.plot.values.push({ Adapters: label, What, ms });
    }
  }
  return { rows, tables: [table] };
}
