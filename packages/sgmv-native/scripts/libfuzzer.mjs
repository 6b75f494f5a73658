/** Which compiler can build for libFuzzer. A clang alone is not enough: its runtime libraries are packages of their own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAMES = ['clang++', ...[20, 19, 18, 17, 16, 15, 14].map((version) => `clang++-${version}`)];

/** @param {string} compiler @param {string} [libraries] a LD_LIBRARY_PATH it needs */
export function hasLibFuzzer(compiler, libraries) {
  const folder = mkdtempSync(join(tmpdir(), 'sgmv-clang-'));
  try {
    const source = join(folder, 'probe.cc');
    writeFileSync(
      source,
      '#include <map>\nextern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n',
    );
    const flags = ['-std=c++20', '-fsanitize=fuzzer,address,undefined', source, '-o', join(folder, 'probe')];
    return spawnSync(compiler, flags, { stdio: 'ignore', env: withLibraries(libraries) }).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns {string | undefined} the name of one on the PATH */
export const findLibFuzzer = () => NAMES.find((name) => hasLibFuzzer(name));

/** @param {string} [libraries] @returns {NodeJS.ProcessEnv} */
export const withLibraries = (libraries) =>
  libraries ? { ...process.env, LD_LIBRARY_PATH: libraries } : process.env;
