/**
 * Targets 1, 2, 3 and 10: 32 concurrent requests, 64 prompt + 128 new tokens, rank 16, in Punica's popularities; ours
 * and the peers that are installed, in turns on the same prompts and adapters.
 */
import { POPULARITIES } from '../popularity.mjs';
import { servingSystems } from '../peers/systems.mjs';
import { provideAdapters } from '../random-adapters.mjs';
import { latencyRows, median, percentile, ratios, spreadRows } from '../statistics.mjs';
import { OURS, engineTurn, takeTurns } from '../turns.mjs';
import { POPULARITY_LABELS, randomPrompts } from '../workload.mjs';

const REQUESTS = 32;
const RANK = 16;
const TARGETS = { distinct: 10, identical: 3, base: 2, uniform: null, skewed: null };
const IDS = {
  distinct: 'target1.distinct/best-peer',
  identical: 'target2.identical/best-peer',
  base: 'target3.base/best-peer',
  uniform: 'target10.uniform/best-peer',
  skewed: 'target10.skewed/best-peer',
};

export const section = {
  name: 'serving',
  targets: [1, 2, 3, 10],
  async run(context) {
    const adapters = provideAdapters(context.cache, context.modelInfo, Array(REQUESTS).fill(RANK));
    const names = Object.keys(POPULARITIES);
    const runs = names.map((name) => ({ name, adapters: POPULARITIES[name](REQUESTS) }));
    const specOf = (round) => ({
      adapters,
      runs,
      newTokens: context.quick ? 32 : 128,
      prompts: randomPrompts(REQUESTS, 64, round, context.modelInfo.vocabSize),
    });
    const ours = { name: OURS, run: (spec) => engineTurn(context, { ...spec, model: context.model }) };
    const systems = [ours, ...(await servingSystems(context, adapters, RANK))];
    const turns = systems.map(({ name, run }) => ({ name, run: (round) => run(specOf(round)) }));
    const results = await takeTurns(turns, context.rounds, context.note);
    return report(names, results, context);
  },
};

/** Rounds of one popularity on one system; null where it has none. */
function roundsOf(results, system, popularity) {
  const runs = results.get(system).map((turn) => turn.runs.find(({ name }) => name === popularity));
  return runs.every(Boolean) ? runs : null;
}

const rates = (runs) => runs.map(({ tokens, seconds }) => tokens / seconds);

function report(names, results, context) {
  const rows = [];
  const table = {
    name: 'serving',
    title: `New tokens per second, ${REQUESTS} requests`,
    columns: [
      'Adapters',
      'System',
      'new tokens/s',
      'spread',
      'TTFT ms p50 / p90 / p99',
      'TPOT ms p50 / p90 / p99',
    ],
    rows: [],
    plot: { x: 'new tokens/s', y: 'System', facet: 'Adapters', values: [] },
  };
  for (const popularity of names) {
    const peers = [];
    for (const system of results.keys()) {
      const runs = roundsOf(results, system, popularity);
      if (!runs) continue;
      const id = `serving.${popularity}.${system.replaceAll(' ', '-')}`;
      rows.push(...spreadRows(`${id}.throughput`, rates(runs), 'new tokens/s'), ...latencyRows(id, runs));
      addTableRow(table, POPULARITY_LABELS[popularity], system, runs);
      if (system !== OURS) peers.push({ system, rates: rates(runs) });
    }
    rows.push(...comparison(popularity, rates(roundsOf(results, OURS, popularity)), peers, context));
  }
  rows.push(...amongOurs(results));
  return { rows, tables: [table] };
}

function comparison(popularity, ours, peers, { note }) {
  if (peers.length === 0) return [];
  const best = peers.reduce((a, b) => (median(b.rates) > median(a.rates) ? b : a));
  note(`${popularity}: the best peer is ${best.system} with ${median(best.rates).toFixed(1)} new tokens/s`);
  return spreadRows(IDS[popularity], ratios(ours, best.rates), 'ratio', TARGETS[popularity]);
}

/** What a second adapter costs us, whoever else there is. */
function amongOurs(results) {
  const of = (popularity) => rates(roundsOf(results, OURS, popularity));
  return [
    ...spreadRows('serving.distinct/identical', ratios(of('distinct'), of('identical')), 'ratio'),
    ...spreadRows('serving.distinct/base', ratios(of('distinct'), of('base')), 'ratio'),
  ];
}

function addTableRow(table, label, system, runs) {
  const speeds = rates(runs);
  const latency = (name) => {
    const all = runs.flatMap((run) => run[name] ?? []);
    return all.length === 0 ? '' : [0.5, 0.9, 0.99].map((p) => percentile(all, p).toFixed(0)).join(' / ');
  };
  const spread = `${Math.min(...speeds).toFixed(0)}–${Math.max(...speeds).toFixed(0)}`;
  table.rows.push([label, system, median(speeds).toFixed(0), spread, latency('ttftMs'), latency('tpotMs')]);
  table.plot.values.push({ Adapters: label, System: system, 'new tokens/s': median(speeds) });
}
