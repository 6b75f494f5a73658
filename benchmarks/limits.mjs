/** The machine's limits and the operations one by one, as sgmv_bench measures them. */
import { fileURLToPath } from 'node:url';
import { spreadRows } from './statistics.mjs';
import { runProgram } from './turns.mjs';

const PACKAGE = fileURLToPath(new URL('../packages/sgmv-native', import.meta.url));
export const BENCH = `${PACKAGE}/build/Release/sgmv_bench`;

const lines = (output) =>
  output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Brings sgmv_bench up to date with the sources. */
export const buildBench = () =>
  runProgram(process.execPath, ['scripts/build-native.mjs', '--target', 'bench'], { cwd: PACKAGE });

/** @typedef {{ read: number, peaks: Record<string, { isa: string, gigaops: number }> }} Limits read: GB/s */

/** @returns {Limits} */
function parseLimits(rows) {
  const limits = { read: rows.find(({ limit }) => limit === 'read').gigabytesPerSecond, peaks: {} };
  for (const { limit, isa, gigaops } of rows) if (gigaops) limits.peaks[limit] = { isa, gigaops };
  return limits;
}

/** @returns {Promise<Limits>} */
export async function measureLimits() {
  await buildBench();
  return parseLimits(lines(await runProgram(BENCH, ['--only', 'limits', '--json'])));
}

/** @returns {Promise<{ limits: Limits, ops: object[] }>} */
export async function measureOps() {
  await buildBench();
  const rows = lines(await runProgram(BENCH, ['--only', 'micro', '--json']));
  return { limits: parseLimits(rows.filter((row) => row.limit)), ops: rows.filter((row) => row.op) };
}

/** @param {Limits[]} rounds */
export function limitRows(rounds) {
  return [
    ...spreadRows(
      'limit.read',
      rounds.map(({ read }) => read),
      'GB/s',
    ),
    ...Object.keys(rounds[0].peaks).flatMap((type) =>
      spreadRows(
        `limit.${type}`,
        rounds.map(({ peaks }) => peaks[type].gigaops),
        'Gop/s',
      ),
    ),
  ];
}
