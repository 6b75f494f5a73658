/** The `openai` Python client for the end-to-end tests, in a folder of its own rather than in the user's Python. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipCommand } from './pip.mjs';
import { runCommand } from './run.mjs';
import { findProgram } from '../../packages/local-services/src/find-program.mjs';
import { aptInstall } from './tools.mjs';

const VERSION_MIN = 'openai>=1.92';

/** @param {import('./settings.mjs').Settings} settings @returns {Promise<{ python: string, path: string } | { fix: string }>} */
export async function providePythonClient(settings) {
  const python = findProgram('python3');
  if (!python) return { fix: aptInstall('python3 python3-pip') };
  // Its compiled parts belong to one version of Python.
  const { stdout: version } = spawnSync(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], {
    encoding: 'utf8',
  });
  const path = join(settings.cache, `python-client-${version.trim()}`);
  const complete = join(path, '.complete');
  if (existsSync(complete)) return { python, path };
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  try {
    const pip = await pipCommand(python, { settings });
    const args = [...pip, 'install', '--quiet', '--disable-pip-version-check', '--target', path, VERSION_MIN];
    await runCommand(python, args, { cwd: settings.repository, log: join(settings.logs, 'pip-install.log') });
    writeFileSync(complete, '');
    return { python, path };
  } catch {
    return { fix: `${python} -m pip install --target ${path} '${VERSION_MIN}' && touch ${complete}` };
  }
}
