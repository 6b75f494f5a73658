/**
 * An nvcc to compile the CUDA backend with: the machine's own, else NVIDIA's packages from PyPI, unpacked into
 * `.aril/cuda`. `npm test` compiles with it; a start never fetches it.
 */
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cudaFolder, findNvcc } from '../../packages/sgmv-native/scripts/nvcc.mjs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';
import { Failure } from './failure.mjs';
import { fillingFolder, pipCommand } from './pip.mjs';
import { runCommand } from './run.mjs';
import { aptInstall } from './tools.mjs';

/** What compiling takes: driver, front end, device compiler, assembler, static runtime, headers. */
export const PACKAGES = [
  'nvidia-cuda-nvcc==13.0.88',
  'nvidia-cuda-crt==13.0.88',
  'nvidia-nvvm==13.0.88',
  'nvidia-cuda-runtime==13.0.96',
  'nvidia-cuda-cccl==13.0.85',
  'nvidia-cublas==13.0.2.14',
];
/** As unpacked. */
const BYTES = 870e6;

const listFile = (folder) => join(folder, 'packages.txt');
const isCurrent = (folder) =>
  existsSync(listFile(folder)) && readFileSync(listFile(folder), 'utf8') === PACKAGES.join('\n');

/** Into a folder beside it first, so that what is there under its name is whole. */
async function fetchNvcc(settings, target, note) {
  const python = findProgram('python3');
  if (!python) throw new Failure('Fetching nvcc needs python3.', aptInstall('python3 python3-pip'));
  const partial = `${target}.partial`;
  rmSync(target, { recursive: true, force: true });
  await fillingFolder(partial, BYTES, note, async () => {
    const pip = await pipCommand(python, { settings });
    const options = [
      '--quiet',
      '--disable-pip-version-check',
      '--no-deps',
      '--only-binary',
      ':all:',
      '--no-compile',
    ];
    await runCommand(python, [...pip, 'install', ...options, '--target', partial, ...PACKAGES], {
      cwd: settings.repository,
      log: join(settings.logs, 'pip-nvcc.log'),
      // pip collects here what it then moves to the target.
      env: { ...process.env, TMPDIR: partial },
      fix: 'The log says why. An nvcc of your own is taken instead when NVCC names it.',
    });
    // Of cuBLAS the headers are wanted; a device's own library is found at run time.
    for (const file of readdirSync(partial, { recursive: true }))
      if (/blas\w*\.so[.\d]*$/.test(file)) rmSync(join(partial, file));
    writeFileSync(listFile(partial), PACKAGES.join('\n'));
    renameSync(partial, target);
    note('');
  });
}

/** @param {import('./settings.mjs').Settings} settings @param {(text: string) => void} note @returns {Promise<string>} */
export async function requireNvcc(settings, note) {
  const env = { ...process.env, ARIL_HOME: settings.home };
  const folder = cudaFolder(env);
  const found = findNvcc(env);
  if (found && (isCurrent(folder) || !found.startsWith(folder))) return found;
  await fetchNvcc(settings, folder, note);
  return findNvcc(env);
}
