/** Target 4: one request without adapters, decode and prefill apart, against llama.cpp's own benchmark. */
import { singleRequestSystems } from '../peers/systems.mjs';
import { median, ratios, spreadRows } from '../statistics.mjs';
import { OURS, engineTurn, takeTurns } from '../turns.mjs';
import { randomPrompts } from '../workload.mjs';

const PROMPT = 512;
const PHASES = ['decode', 'prefill'];

/** As llama-bench does: decode starts from an empty context, prefill is a prompt alone. */
async function ourTurn(context, round, newTokens) {
  const run = (length, count) =>
    engineTurn(context, {
      model: context.model,
      adapters: [],
      prompts: randomPrompts(1, length, round, context.modelInfo.vocabSize),
      newTokens: count,
      runs: [{ name: 'base', adapters: [-1] }],
    });
  const { runs: prefill } = await run(PROMPT, 1);
  const { runs: decode } = await run(1, newTokens + 1);
  return { prefill: (PROMPT / prefill[0].ttftMs[0]) * 1000, decode: 1000 / decode[0].tpotMs[0] };
}

export const section = {
  name: 'single',
  targets: [4],
  async run(context) {
    const newTokens = context.quick ? 32 : 128;
    const peers = await singleRequestSystems(context);
    const results = await takeTurns(
      [
        { name: OURS, run: (round) => ourTurn(context, round, newTokens) },
        ...peers.map(({ name, run }) => ({ name, run: () => run({ prompt: PROMPT, newTokens }) })),
      ],
      context.rounds,
      context.note,
    );
    return report(results);
  },
};

function report(results) {
  const rows = [];
  const table = {
    name: 'single',
    title: 'One request, no adapter: tokens per second',
    columns: ['System', 'decode', `prefill of ${PROMPT}`],
    rows: [],
    plot: { x: 'tokens/s', y: 'System', facet: 'Phase', values: [] },
  };
  const speeds = (system, phase) => results.get(system).map((turn) => turn[phase]);
  for (const system of results.keys()) {
    for (const phase of PHASES) {
      const id = `single.${phase}.${system.replaceAll(' ', '-')}`;
      rows.push(...spreadRows(id, speeds(system, phase), 'tokens/s'));
      table.plot.values.push({ System: system, Phase: phase, 'tokens/s': median(speeds(system, phase)) });
    }
    table.rows.push([system, ...PHASES.map((phase) => median(speeds(system, phase)).toFixed(0))]);
  }
  const peers = [...results.keys()].filter((system) => system !== OURS);
  for (const phase of peers.length > 0 ? PHASES : []) {
    const best = peers.reduce((a, b) => (median(speeds(b, phase)) > median(speeds(a, phase)) ? b : a));
    rows.push(
      ...spreadRows(
        `target4.${phase}/best-peer`,
        ratios(speeds(OURS, phase), speeds(best, phase)),
        'ratio',
        1.2,
      ),
    );
  }
  return { rows, tables: [table] };
}
