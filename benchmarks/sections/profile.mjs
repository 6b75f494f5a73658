/**
 * Where the time of a Distinct step goes, by kernel: samples of `perf` while sgmv_bench prefills and decodes. Without
 * perf the section says so and gives nothing.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BENCH, buildBench } from '../limits.mjs';
import { runProgram } from '../turns.mjs';

/** The first that matches the name of a function; the rest is loading, which a step has nothing of. */
const PHASES = [
  ['waiting for threads', /ThreadPool/],
  ['shrink', /shrink/i],
  ['expand', /expand/i],
  ['attention', /attention|softmax|CpuKvCache/i],
  ['base GEMM', /gemm|product_|widen|unpack|open_q|prefetch/i],
  ['norms, RoPE, activations', /rms_norm|rope|swiglu|encode|::add\b|::scale\b/i],
];

export const phaseOf = (symbol) => PHASES.find(([, pattern]) => pattern.test(symbol))?.[0];

/** Lines of `perf report -F overhead,symbol`. @returns {Map<string, number>} part of the time of all phases */
export function phaseParts(output) {
  const percents = new Map(PHASES.map(([name]) => [name, 0]));
  for (const line of output.split('\n')) {
    const [, percent, symbol] = /^\s*([\d.]+)%\s+\[.\]\s+(.*?)\s*$/.exec(line) ?? [];
    const phase = symbol && phaseOf(symbol);
    if (phase) percents.set(phase, percents.get(phase) + Number(percent));
  }
  const total = [...percents.values()].reduce((a, b) => a + b, 0);
  return new Map([...percents].map(([name, percent]) => [name, percent / total]));
}

const hasPerf = () => process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, 'perf')));

async function sample(context) {
  await buildBench();
  mkdirSync(context.scratch, { recursive: true });
  const data = join(context.scratch, 'perf.data');
  const adapters = join(context.cache, 'bench', 'sgmv-bench');
  const bench = [BENCH, context.model, '--only', 'distinct', '--adapters', adapters];
  bench.push('--new', context.quick ? '32' : '256');
  await runProgram('perf', ['record', '-q', '-e', 'cpu-clock', '-o', data, '--', ...bench]);
  return runProgram('perf', ['report', '-i', data, '--stdio', '--no-children', '-F', 'overhead,symbol']);
}

export const section = {
  name: 'profile',
  targets: [],
  async run(context) {
    if (!hasPerf()) {
      context.note('the profile needs perf, which was not found');
      return { rows: [], tables: [] };
    }
    context.note('profile of a Distinct step');
    return report(phaseParts(await sample(context)));
  },
};

function report(parts) {
  const sorted = [...parts].sort(([, a], [, b]) => b - a);
  const table = {
    name: 'profile',
    title: 'Where the time of a Distinct step goes',
    columns: ['Phase', 'part'],
    rows: sorted.map(([name, part]) => [name, `${(100 * part).toFixed(0)} %`]),
    plot: { x: 'part', y: 'Phase', values: sorted.map(([Phase, part]) => ({ Phase, part })) },
  };
  const rows = sorted.map(([name, value]) => ({ id: `profile.${name}`, value, target: null, unit: 'ratio' }));
  return { rows, tables: [table] };
}
