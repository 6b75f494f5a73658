#!/usr/bin/env node
/**
 * Builds the fuzz targets of test/fuzz and runs each for some seconds from its corpus and its regression inputs.
 * With a clang that has libFuzzer (CLANG, or one on the PATH) that is what runs; else the replay driver, built with
 * the compiler at hand. Ends with "N passed, N failed": a target fails by a crash, a sanitizer's report, a leak, an
 * input that takes longer than ten seconds or more than 1 GiB. The input is then in build/fuzz-findings.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findLibFuzzer, withLibraries } from './libfuzzer.mjs';

const HELP = `Usage: node scripts/fuzz-native.mjs [options]

  --seconds N       for each target (default 10)
  --target NAME     only this one, e.g. gguf
  --jobs N          targets at the same time, and parallel compilations (default: one per core)
  --seed N          of the random choices (default 1)
`;

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const inTests = (...path) => join(packageFolder, 'test', 'fuzz', ...path);
/** A clang that is not installed but unpacked: where it is, and where its libraries are. */
const { CLANG, CLANG_LIBRARIES } = process.env;

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      target: { type: 'string' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  for (const name of ['seconds', 'jobs', 'seed'])
    if (!/^[1-9]\d*$/.test(values[name]))
      throw new Error(`--${name}: found "${values[name]}"; expected a whole number of at least 1.`);
  return values;
}

function build(clang, jobs) {
  const script = join(packageFolder, 'scripts', 'build-native.mjs');
  const env = clang ? { ...withLibraries(CLANG_LIBRARIES), CXX: clang } : process.env;
  const built = spawnSync(process.execPath, [script, '--target', 'fuzz', '--jobs', jobs], {
    stdio: 'inherit',
    env,
  });
  if (built.status !== 0) throw new Error('The fuzz targets could not be built; the message is above.');
  return join(packageFolder, 'build', clang ? 'fuzz' : 'address-undefined', 'fuzz');
}

/** @returns {Promise<string | null>} what is wrong */
function runTarget(folder, name, { seconds, seed }) {
  const findings = join(packageFolder, 'build', 'fuzz-findings', name);
  // libFuzzer keeps what reaches new code in the first folder, so that the next run starts from there.
  const grown = join(packageFolder, 'build', 'fuzz-corpus', name);
  for (const path of [findings, grown]) mkdirSync(path, { recursive: true });
  const flags = ['-timeout=10', '-rss_limit_mb=1024', '-print_final_stats=1', '-verbosity=0'];
  const limits = [`-max_total_time=${seconds}`, `-seed=${seed}`, `-artifact_prefix=${findings}/`];
  const corpora = [grown, inTests('corpus', name), inTests('regressions', name)].filter((path) =>
    existsSync(path),
  );
  const run = spawn(join(folder, `${name}_fuzz`), [...flags, ...limits, ...corpora]);
  let output = '';
  for (const stream of [run.stdout, run.stderr]) stream.on('data', (data) => (output += data));
  return new Promise((resolve) => {
    run.on('error', (error) => resolve(error.message));
    run.on('close', (status, signal) => {
      const runs = /number_of_executed_units:\s*(\d+)/.exec(output)?.[1];
      if (status === 0 && runs) process.stdout.write(`ok    ${name}: ${runs} inputs\n`);
      else
        process.stdout.write(
          `FAIL  ${name} (${signal ?? `status ${status}`}); inputs in ${findings}\n${output}\n`,
        );
      resolve(status === 0 && runs ? null : name);
    });
  });
}

async function main() {
  const options = readOptions();
  if (options.help) return void process.stdout.write(HELP);
  const clang = CLANG || findLibFuzzer();
  const folder = build(clang, options.jobs);
  process.stdout.write(
    `Fuzzing with ${clang ? `libFuzzer of ${clang}` : 'the replay driver: no clang with libFuzzer'}\n`,
  );
  const names = readdirSync(inTests('corpus')).filter((name) => !options.target || name === options.target);
  const queue = [...names];
  const failures = [];
  const work = async () => {
    for (let name = queue.shift(); name; name = queue.shift()) {
      const failure = await runTarget(folder, name, options);
      if (failure) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: Number(options.jobs) }, work));
  process.stdout.write(`${names.length - failures.length} passed, ${failures.length} failed\n`);
  process.exitCode = failures.length > 0 || names.length === 0 ? 1 : 0;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`sgmv-native: ${error.message}\n`);
  process.exitCode = 1;
}
