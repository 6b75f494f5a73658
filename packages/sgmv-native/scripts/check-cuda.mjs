#!/usr/bin/env node
/**
 * What can be said about the CUDA backend without a GPU: nvcc compiles it for every architecture without a warning, no
 * kernel spills registers, and the module that Node loads starts where there is no driver. Then the tests on the device;
 * where there is none, they are counted as skipped. Ends with "N passed, N failed, N skipped".
 *
 * Usage: node scripts/check-cuda.mjs [--jobs N] [--report]
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findNvcc } from './nvcc.mjs';

const HELP = `Usage: node scripts/check-cuda.mjs [options]

  --jobs N     parallel compilations (default: one per core)
  --report     every kernel's registers and shared memory, as docs/kernels.md has them
`;

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const built = (...path) => join(packageFolder, 'build', 'Release', ...path);
/** Exit status of a test program that had nothing to run on. */
const ALL_SKIPPED = 77;

const counts = { passed: 0, failed: 0, skipped: 0 };
function count(name, problems) {
  counts[problems.length === 0 ? 'passed' : 'failed']++;
  process.stdout.write(`${problems.length === 0 ? 'ok   ' : 'FAIL '} ${name}\n`);
  for (const problem of problems) process.stdout.write(`      ${problem}\n`);
}

/** One compiler run's log. @returns {{ problems: string[], kernels: object[] }} */
function readLog(text) {
  const problems = text.split('\n').filter((line) => /\b(warning|error)\b/i.test(line));
  const pattern =
    /Compiling entry function '(\S+)' for '(\w+)'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores[\s\S]*?Used (\d+) registers(?:.*?(\d+) bytes smem)?/g;
  const kernels = [...text.matchAll(pattern)].map(([, name, architecture, ...numbers]) => {
    const [stack, spills, registers, shared] = numbers.map((number) => Number(number ?? 0));
    return { name, architecture, stack, spills, registers, shared };
  });
  for (const { name, architecture, stack, spills } of kernels)
    if (stack + spills > 0)
      problems.push(
        `${name} for ${architecture}: ${spills} bytes of registers spilled, ${stack} bytes of stack`,
      );
  return { problems, kernels };
}

function readLogs() {
  const sources = ['src', 'test', 'bench'].flatMap((folder) =>
    readdirSync(built('cuda', folder), { recursive: true })
      .filter((file) => file.endsWith('.cu.o.log'))
      .map((file) => join(folder, file)),
  );
  return sources.sort().map((file) => ({
    source: file.replace(/\.o\.log$/, ''),
    ...readLog(readFileSync(built('cuda', file), 'utf8')),
  }));
}

/** cmake/cuda.cmake compiles other folders for one architecture only. @returns {string[]} */
function misplacedKernels() {
  const source = join(packageFolder, 'src');
  return readdirSync(source, { recursive: true })
    .filter((file) => /\.(cu|cuh|h)$/.test(file) && !file.startsWith('ops'))
    .filter((file) => readFileSync(join(source, file), 'utf8').includes('__global__'))
    .map((file) => `src/${file} has one`);
}

/** Names as people write them, where there is a c++filt. */
function demangled(names) {
  const { status, stdout } = spawnSync('c++filt', [], { input: names.join('\n'), encoding: 'utf8' });
  return status === 0 ? stdout.trim().split('\n') : names;
}

function printReport(logs) {
  for (const { source, kernels } of logs) {
    const names = [...new Set(kernels.map(({ name }) => name))];
    const shown = demangled(names);
    names.forEach((name, index) => {
      const variants = kernels.filter((kernel) => kernel.name === name);
      const of = (key) => variants.map((kernel) => `${kernel.architecture} ${kernel[key]}`).join(', ');
      process.stdout.write(
        `${source}  ${shown[index].replace(/\(anonymous namespace\)::|sgmv::|cuda::/g, '')}\n`,
      );
      process.stdout.write(`    registers: ${of('registers')}; static shared memory: ${of('shared')}\n`);
    });
  }
}

function runTests() {
  const { status, stdout } = spawnSync(built('sgmv_cuda_tests'), [], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  process.stdout.write(stdout ?? '');
  const [, passed, failed, skipped] =
    /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/.exec(stdout ?? '') ?? [];
  if (status !== 0 && status !== ALL_SKIPPED && !(Number(failed) > 0))
    return count('tests on the device', [`sgmv_cuda_tests ended with ${status}`]);
  counts.passed += Number(passed);
  counts.failed += Number(failed);
  counts.skipped += Number(skipped ?? 0);
}

function main() {
  const { values } = parseArgs({
    options: {
      jobs: { type: 'string', default: String(availableParallelism()) },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  if (!findNvcc()) {
    process.stdout.write('skip  CUDA: no nvcc; `node scripts/fetch-nvcc.mjs` in the root fetches one\n');
    return void process.stdout.write('0 passed, 0 failed, 1 skipped\n');
  }
  for (const target of ['cuda-tests', 'cuda-bench', 'addon']) {
    const args = [join(packageFolder, 'scripts/build-native.mjs'), '--target', target, '--jobs', values.jobs];
    if (spawnSync(process.execPath, args, { stdio: 'inherit' }).status !== 0)
      count(`nvcc: ${target}`, ['the compiler says why, above']);
  }
  const logs = counts.failed > 0 ? [] : readLogs();
  for (const { source, kernels, problems } of logs)
    count(`nvcc: ${source}, ${kernels.length} kernels`, problems);
  count('kernels are in src/ops only', misplacedKernels());
  if (values.report) printReport(logs);
  const load = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', built('sgmv.node')], {
    encoding: 'utf8',
  });
  count('the module loads, driver or not', load.status === 0 ? [] : [load.stderr]);
  if (counts.failed === 0 || logs.length > 0) runTests();
  const { passed, failed, skipped } = counts;
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
