import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const BENCH = fileURLToPath(new URL('../../scripts/bench.mjs', import.meta.url));
const run = (...args) => spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8' });

it.each([
  [['engine', '--only', '77'], '--only: found "77"; expected some of serving, 1, 2'],
  [['engine', '--rounds', '0'], '--rounds: found "0"; expected a whole number of at least 1.'],
  [['engine', '--threads', 'two'], '--threads: found "two"; expected a whole number'],
  [['engine', '--bogus'], "Unknown option '--bogus'"],
  [['peers', '--only', 'zipf'], '--only: found "zipf"; expected some of serving, 1, 2, 3, 10; single, 4.'],
])('%j is refused in one line, before anything is measured', (args, message) => {
  const { status, stderr } = run(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

it('shows its options', () => {
  const { status, stdout } = run('--help');
  expect(status).toBe(0);
  for (const option of ['--quick', '--only', '--json', '--report', '--peers'])
    expect(stdout).toContain(option);
  expect(run('something').status).toBe(2);
});
