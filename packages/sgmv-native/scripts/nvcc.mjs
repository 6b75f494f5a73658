/** Where nvcc is: what SGMV_NVCC or NVCC names, the machine's own, or PyPI's that scripts/fetch-nvcc.mjs unpacked. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** @param {NodeJS.ProcessEnv} [env] Where scripts/fetch-nvcc.mjs puts NVIDIA's packages; all of them or nothing. */
export const cudaFolder = (env = process.env) =>
  join(resolve(env.ARIL_HOME || join(repository, '.aril')), 'cuda');

/** @param {string} folder of Python packages @returns {string[]} */
function packagedNvccs(folder) {
  const nvidia = join(folder, 'nvidia');
  if (!existsSync(nvidia)) return [];
  return readdirSync(nvidia)
    .filter((name) => /^cu\d+$/.test(name))
    .map((name) => join(nvidia, name, 'bin', 'nvcc'));
}

/** @param {string} venv @returns {string[]} */
function venvNvccs(venv) {
  const lib = join(venv, 'lib');
  if (!existsSync(lib)) return [];
  return readdirSync(lib).flatMap((python) => packagedNvccs(join(lib, python, 'site-packages')));
}

/** @param {NodeJS.ProcessEnv} [env] @returns {string | undefined} SGMV_NVCC set to nothing: none is looked for */
export function findNvcc(env = process.env) {
  const named = env.SGMV_NVCC ?? env.NVCC;
  if (named !== undefined) return named || undefined;
  const homes = [env.CUDA_HOME, env.CUDA_PATH].filter(Boolean).map((home) => join(home, 'bin'));
  const folders = [...homes, ...(env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/local/cuda/bin'];
  return [
    ...folders.map((folder) => join(folder, 'nvcc')),
    ...(env.VIRTUAL_ENV ? venvNvccs(env.VIRTUAL_ENV) : []),
    ...packagedNvccs(cudaFolder(env)),
  ].find((path) => existsSync(path));
}

/** @param {string} nvcc @returns {string} its version, for a folder that is to be made anew when nvcc changes */
export const nvccVersion = (nvcc) =>
  spawnSync(nvcc, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
