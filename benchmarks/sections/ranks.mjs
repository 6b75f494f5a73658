/**
 * Target 8: 32 requests with adapters of ranks 4, 8, 16, 32 and 64 in one batch against 32 of rank 16. Both have a
 * total rank of 512, so both read the same adapter bytes and do the same arithmetic; padding to the largest rank
 * would cost four times as much.
 */
import { provideAdapters } from '../random-adapters.mjs';
import { latencyRows, median, ratios, spreadRows } from '../statistics.mjs';
import { engineTurn } from '../turns.mjs';
import { randomPrompts } from '../workload.mjs';

const COUNTS = { 4: 12, 8: 8, 16: 5, 32: 4, 64: 3 };
const MIXED = Object.entries(COUNTS).flatMap(([rank, count]) => Array(count).fill(Number(rank)));
const UNIFORM_RANK = 16;
const REQUESTS = MIXED.length;

/** Ranks spread over the batch instead of sorted, as requests would come. */
const shuffled = MIXED.map((_, i) => MIXED[(i * 11) % REQUESTS]);

export const section = {
  name: 'ranks',
  targets: [8],
  async run(context) {
    const mixed = provideAdapters(context.cache, context.modelInfo, shuffled);
    const uniform = provideAdapters(context.cache, context.modelInfo, Array(REQUESTS).fill(UNIFORM_RANK));
    const own = mixed.map((_, i) => i);
    const runs = [
      { name: 'uniform', adapters: own.map((i) => REQUESTS + i) },
      { name: 'mixed', adapters: own },
    ];
    const results = { uniform: [], mixed: [] };
    for (let round = 1; round <= context.rounds; round++) {
      context.note(`round ${round} of ${context.rounds}: mixed and uniform ranks`);
      const turn = await engineTurn(context, {
        model: context.model,
        adapters: [...mixed, ...uniform],
        newTokens: context.quick ? 32 : 128,
        prompts: randomPrompts(REQUESTS, 64, round, context.modelInfo.vocabSize),
        // Whoever runs second would always find the machine as the first left it.
        runs: round % 2 === 1 ? runs : runs.toReversed(),
      });
      for (const run of turn.runs) results[run.name].push(run);
    }
    return report(results);
  },
};

function report(results) {
  const rates = (name) => results[name].map(({ tokens, seconds }) => tokens / seconds);
  const label = {
    uniform: `all ${UNIFORM_RANK}`,
    mixed: Object.entries(COUNTS)
      .map(([rank, count]) => `${count} × ${rank}`)
      .join(', '),
  };
  const names = ['uniform', 'mixed'];
  return {
    rows: [
      ...spreadRows(
        'target8.mixed-ranks/uniform-rank',
        ratios(rates('mixed'), rates('uniform')),
        'ratio',
        0.97,
      ),
      ...names.flatMap((name) => [
        ...spreadRows(`ranks.${name}.throughput`, rates(name), 'new tokens/s'),
        ...latencyRows(`ranks.${name}`, results[name]),
      ]),
    ],
    tables: [
      {
        name: 'ranks',
        title: `${REQUESTS} adapters, total rank ${REQUESTS * UNIFORM_RANK}`,
        columns: ['Ranks', 'new tokens/s'],
        rows: names.map((name) => [label[name], median(rates(name)).toFixed(0)]),
        plot: {
          x: 'new tokens/s',
          y: 'Ranks',
          values: names.map((name) => ({ Ranks: label[name], 'new tokens/s': median(rates(name)) })),
        },
      },
    ],
  };
}
