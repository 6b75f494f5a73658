/**
 * Programs from the distribution's own packages, unpacked into a folder of ours. Nothing is installed: the
 * system keeps no new package, no service and no account, and a plain user can do it as well as root.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const run = (command, args, cwd) =>
  execute(command, args, {
    cwd,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 << 20,
  });

/** A package index of our own, for a plain user on a machine whose own index is empty (most container images). */
async function privateIndex(folder) {
  const state = join(folder, 'apt', 'state');
  const cache = join(folder, 'apt', 'cache');
  mkdirSync(join(state, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(cache, 'archives', 'partial'), { recursive: true });
  const options = Object.entries({
    'Dir::State': state,
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': cache,
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await run('apt-get', [...options, '-q', 'update']);
  return options;
}

async function isInstalled(name) {
  try {
    const { stdout } = await run('dpkg-query', ['-W', '-f', '${Status}', name]);
    return stdout.includes('ok installed');
  } catch {
    return false;
  }
}

/** The packages and what they need that this machine lacks. */
async function missingPackages(wanted, options) {
  const found = new Set();
  const queue = [...wanted];
  for (let name = queue.shift(); name; name = queue.shift()) {
    if (found.has(name) || (!wanted.includes(name) && (await isInstalled(name)))) continue;
    found.add(name);
    const { stdout } = await run('apt-cache', [
      ...options,
      'depends',
      '--no-recommends',
      '--no-suggests',
      name,
    ]);
    for (const match of stdout.matchAll(/^\s+\|?(?:Pre)?Depends: ([a-z0-9.+:-]+)$/gm)) queue.push(match[1]);
  }
  return [...found];
}

async function download(wanted, options, folder) {
  const names = await missingPackages(wanted, options);
  await run('apt-get', [...options, '-q', 'download', ...names], folder);
}

async function downloadAll(wanted, folder) {
  try {
    await download(wanted, [], folder);
  } catch {
    // The system's index is missing or too old to name files that still exist.
    await download(wanted, await privateIndex(folder), folder);
  }
}

/**
 * Unpacks `packages` and their missing dependencies below `folder`, once, and returns the root they lie under.
 * @param {{ packages: string[], folder: string }} options
 */
export async function unpackPackages({ packages, folder }) {
  const root = join(folder, 'root');
  if (existsSync(join(root, '.complete'))) return root;
  rmSync(folder, { recursive: true, force: true });
  const fresh = join(folder, 'root.new');
  mkdirSync(fresh, { recursive: true });
  await downloadAll(packages, folder);
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb')))
    await run('dpkg-deb', ['-x', join(folder, file), fresh]);
  writeFileSync(join(fresh, '.complete'), '');
  renameSync(fresh, root);
  return root;
}

/**
 * Where Debian's packages put libraries, for a program that runs from an unpacked root. Some keep their own in a folder
 * beside the others and name it by its absolute path (libpulse does), which is not where it was unpacked.
 */
export function libraryPath(root) {
  const subfolders = (path) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  const folders = ['usr/lib', 'lib'].map((path) => join(root, path)).filter((path) => existsSync(path));
  const triplets = folders.flatMap(subfolders).filter((path) => basename(path).includes('-linux-'));
  const own = triplets
    .flatMap(subfolders)
    .filter((path) => readdirSync(path).some((name) => /^lib.*\.so/.test(name)));
  return [...triplets, ...folders, ...own].join(':');
}
