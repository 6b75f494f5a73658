/**
 * Brings a database to the newest migration with `prisma migrate deploy`, and asks the database itself first
 * whether there is anything to do, because starting the Prisma CLI costs seconds that a second start does not have.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureDatabase, withClient } from './databases.mjs';
import { ensureAppRole } from './roles.mjs';

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
export const SCHEMA_ENGINE = fileURLToPath(new URL('./schema-engine.mjs', import.meta.url));

/** The environment `prisma` commands need; see schema-engine.mjs. @param {string} [ownerUrl] */
export function prismaEnvironment(ownerUrl) {
  // git keeps the executable bit; an archive or a copy may not.
  if (!(statSync(SCHEMA_ENGINE).mode & 0o111)) chmodSync(SCHEMA_ENGINE, 0o755);
  return {
    ...process.env,
    ...(ownerUrl ? { DATABASE_URL: ownerUrl } : {}),
    PRISMA_SCHEMA_ENGINE_BINARY: SCHEMA_ENGINE,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  };
}

/** @returns {Map<string, string>} migration name → the checksum Prisma stores with it */
function migrationsOnDisk(root) {
  const folder = join(root, 'prisma', 'migrations');
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'migration.sql')))
    : [];
  const checksum = (name) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name, 'migration.sql')))
      .digest('hex');
  return new Map(names.map((name) => [name, checksum(name)]));
}

/** @returns {Promise<boolean>} true when exactly these migrations are applied, each to its end */
async function isUpToDate(ownerUrl, migrations) {
  return withClient(ownerUrl, async (client) => {
    const { rows: tables } = await client.query("SELECT to_regclass('public._prisma_migrations') AS found");
    if (!tables[0].found) return false;
    const { rows } = await client.query(
      'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    const applied = rows.filter(
      (row) => row.finished_at && migrations.get(row.migration_name) === row.checksum,
    );
    return applied.length === rows.length && applied.length === migrations.size;
  });
}

/**
 * Creates the database if needed and applies every migration that it lacks.
 * @param {{ ownerUrl: string, root?: string }} options root: the folder that holds prisma/ (default: this repository)
 * @returns {Promise<{ applied: boolean }>} false when there was nothing to do
 */
export async function migrate({ ownerUrl, root = REPOSITORY }) {
  await ensureDatabase(ownerUrl);
  await ensureAppRole(ownerUrl);
  if (await isUpToDate(ownerUrl, migrationsOnDisk(root))) return { applied: false };
  const cli = join(
    dirname(createRequire(import.meta.url).resolve('prisma/package.json')),
    'build',
    'index.js',
  );
  try {
    await run(process.execPath, [cli, 'migrate', 'deploy'], {
      cwd: root,
      env: prismaEnvironment(ownerUrl),
      maxBuffer: 16 << 20,
    });
  } catch (error) {
    const output = [error.stdout, error.stderr].filter(Boolean).join('\n').trim();
    throw new Error(`prisma migrate deploy failed:\n${output || error.message}`, { cause: error });
  }
  return { applied: true };
}
