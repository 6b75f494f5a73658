/**
 * Dependencies, from the lock file. npm leaves a lock file of its own inside node_modules; when that names the same
 * packages as ours there is nothing to do, whoever installed them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run.mjs';
import { canWrite } from './settings.mjs';

function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return null;
  }
}

/** @param {string} repository Whether node_modules holds what package-lock.json asks for. */
export function isInstalled(repository) {
  const wanted = readLock(join(repository, 'package-lock.json'));
  const found = readLock(join(repository, 'node_modules', '.package-lock.json'));
  if (!wanted || !found) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/')) return true;
    // Optional packages are for other systems, or could not be had here; npm has decided that already.
    if (!found[path]) return Boolean(entry.optional || entry.peer);
    return found[path].version === entry.version && existsSync(join(repository, path));
  });
}

/** @param {import('./settings.mjs').Settings} settings npm's cache, unless it belongs to somebody else (a root-owned ~/.npm). */
async function cacheOptions(settings, log) {
  const output = await runCommand('npm', ['config', 'get', 'cache'], { cwd: settings.repository, log });
  const cache = output.trim().split('\n').at(-1);
  return canWrite(join(cache, '_cacache')) && canWrite(join(cache, '_logs'))
    ? []
    : ['--cache', join(settings.cache, 'npm')];
}

/** @param {import('./settings.mjs').Settings} settings @param {(text: string) => void} note */
export async function installDependencies(settings, note) {
  const log = join(settings.logs, 'npm-install.log');
  const cache = await cacheOptions(settings, log);
  let fetched = 0;
  const count = (line) => {
    if (!line.includes('http fetch GET 200')) return;
    note(`${++fetched} answers of the registry`);
  };
  // Without install scripts: none of them does anything we need, and one tries to download an engine we replace.
  await runCommand(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http', ...cache],
    {
      cwd: settings.repository,
      log,
      note: count,
      fix: 'The log says why. If node_modules is in an odd state, remove it (rm -rf node_modules) and run npm start again.',
    },
  );
  note('');
}
