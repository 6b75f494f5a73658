/**
 * pip as it is on the machine, so that the user's own index, proxy and certificates apply. Where Python came without it
 * (Debian packs it apart), pip's wheel is borrowed from the distribution's package, which runs as it is.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { runCommand } from './run.mjs';

function bytesBelow(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    bytes += statSync(join(entry.parentPath ?? entry.path, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/** @returns {Promise<string[]>} the arguments that make `python3 …` run pip */
export async function pipCommand(python, { settings }) {
  const options = { cwd: settings.repository, log: join(settings.logs, 'pip-version.log') };
  try {
    await runCommand(python, ['-m', 'pip', '--version'], options);
    return ['-m', 'pip'];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  const { unpackPackages } = await import('../../packages/local-services/src/apt.mjs');
  const root = await unpackPackages({ packages: ['python3-pip-whl'], folder: join(settings.cache, 'pip') });
  const wheels = join(root, 'usr', 'share', 'python-wheels');
  const wheel = readdirSync(wheels).find((name) => name.startsWith('pip-'));
  if (!wheel) throw new Error('python3 has no pip');
  return [join(wheels, wheel, 'pip')];
}

/**
 * A folder that `work` fills with about `bytes` bytes and that is gone afterwards. pip is silent off a terminal; the
 * folder's size is the progress.
 * @template T @param {string} folder @param {number} bytes @param {(text: string) => void} note
 * @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function fillingFolder(folder, bytes, note, work) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const timer = setInterval(() => {
    note(`${Math.min(99, Math.floor((100 * bytesBelow(folder)) / bytes))} %`);
  }, 500);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}
