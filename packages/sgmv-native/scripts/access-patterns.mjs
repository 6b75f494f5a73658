#!/usr/bin/env node
/**
 * How the CUDA kernels of a step touch memory, as the hardware would serve it: counted on the emulated device
 * (test/cuda_emulator/access.h), so no device is needed. docs/cuda.md explains the table.
 *
 *   node scripts/access-patterns.mjs [--all]              the kernels of a prompt and of steps
 *   node scripts/access-patterns.mjs --ops PART [--all]   those of single operations (access_ops.cu) whose names contain PART
 *
 * Beneath each kernel are the lines that could be served better, those with the most first; with --all, all its lines.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const folder = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({ options: { all: { type: 'boolean', default: false }, ops: { type: 'string' } } });
const target = options.ops === undefined ? 'cuda-access' : 'cuda-access-ops';
const program = join(folder, `build/Release/test/cuda_emulator/sgmv_${target.replaceAll('-', '_')}`);

/** Of all addresses at once: the lines of each, the innermost first, as [function, file:line]. */
function symbolize(addresses) {
  const text = execFileSync('addr2line', ['-asCfi', '-e', program, ...addresses], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = new Map();
  let of = [];
  for (const line of text.split('\n')) {
    if (/^0x[0-9a-f]+$/.test(line)) lines.set(Number(line), (of = []));
    else if (line !== '') of.push(line);
  }
  return (address) => {
    const found = lines.get(Number(address)) ?? [];
    return Array.from({ length: found.length >> 1 }, (_, i) => [found[2 * i], found[2 * i + 1].replace(/ \(.*$/, '')]);
  };
}

const COUNTS = ['requests', 'lanes', 'bytes', 'sectors', 'least', 'passes', 'turns'];
function read(line) {
  const [, kernel, , code, space, kind, width, ...counts] = line.split('\t');
  // The address a call returns to is that of the next line.
  return { kernel: Number(kernel), code: Number(code) - 1, space, what: `${space} ${kind}, ${width} B`, kind, ...Object.fromEntries(COUNTS.map((name, i) => [name, Number(counts[i])])) };
}

const total = (rows) => Object.fromEntries(COUNTS.map((name) => [name, rows.reduce((sum, row) => sum + row[name], 0)]));
function groups(rows, keyOf) {
  const found = new Map();
  for (const row of rows) found.set(keyOf(row), [...(found.get(keyOf(row)) ?? []), row]);
  return [...found].sort(([a], [b]) => a.localeCompare(b));
}
const share = ({ least, sectors }) => (sectors === 0 ? 'nothing' : `${Math.round((100 * least) / sectors)} % of ${sectors} sectors`);
const passes = (count) => (count.turns === 0 ? 'nothing' : `${(count.passes / count.turns).toFixed(2)} passes`);

execFileSync(process.execPath, [join(folder, 'scripts/build-native.mjs'), '--target', target], { stdio: ['ignore', 'ignore', 'inherit'] });
const rows = execFileSync(program, options.ops === undefined ? [] : [options.ops], { encoding: 'utf8', maxBuffer: 1 << 28 }).split('\n').filter((line) => line.startsWith('access\t')).map(read);
const placesOf = symbolize([...new Set(rows.flatMap(({ kernel, code }) => [kernel, code]))].map((address) => `0x${address.toString(16)}`));
const nameOf = ({ kernel }) => placesOf(kernel)[0][0].replaceAll('(anonymous namespace)::', '').replaceAll('sgmv::cuda::', '').replace(/^void /, '').replace(/\((?!anonymous).*$/, '');
/** Helpers that only load say little: who calls them, and two more. */
const lineOf = ({ code }) => placesOf(code).map(([, at]) => at).filter((at) => !at.startsWith('ptx.cuh')).slice(0, 3).join(' < ');

for (const [kernel, all] of groups(rows, nameOf)) {
  if (kernel.startsWith('sgmv::bench')) continue;
  const of = (space, kind) => total(all.filter((row) => row.space === space && (kind === null || row.kind === kind)));
  console.log(`${kernel}: read ${share(of('global', 'read'))}, written ${share(of('global', 'write'))}, shared memory ${passes(of('shared', null))}`);
  const lines = groups(all, (row) => `${row.what}  ${lineOf(row)}`).map(([line, same]) => [line, total(same)]);
  for (const [line, count] of lines.sort(([, a], [, b]) => b.sectors + b.passes - a.sectors - a.passes))
    if (options.all || count.passes > count.turns || count.sectors > count.least * 1.01)
      console.log(`    ${line}: ${(count.lanes / count.requests).toFixed(1)} lanes, ${count.turns > 0 ? passes(count) : share(count)}`);
}
