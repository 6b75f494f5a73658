import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createAppRole,
  freshDatabase,
  migrate,
  onDatabase,
  prismaEnvironment,
  startPostgres,
  withClient,
} from '../src/index.mjs';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'aril-migrate-'));
let server;

beforeAll(async () => {
  server = await startPostgres({ dir: join(dir, 'postgres'), durable: false });
  await migrate({ ownerUrl: server.url });
});
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const select = (url, sql, values) =>
  withClient(url, async (client) => (await client.query(sql, values)).rows);
const prisma = (url, ...args) =>
  run(process.execPath, [join(repository, 'node_modules/prisma/build/index.js'), 'migrate', ...args], {
    cwd: repository,
    env: prismaEnvironment(url),
  });

/** A folder with this repository's migrations that a test may add to. */
function copyOfMigrations() {
  const root = mkdtempSync(join(dir, 'root-'));
  cpSync(join(repository, 'prisma'), join(root, 'prisma'), { recursive: true });
  cpSync(join(repository, 'prisma.config.ts'), join(root, 'prisma.config.ts'));
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  return root;
}

describe('migrate', () => {
  it('applies every migration once', async () => {
    const names = readdirSync(join(repository, 'prisma', 'migrations')).filter((name) => /^\d/.test(name));
    const rows = await select(
      server.url,
      'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1',
    );
    expect(rows.map(({ name }) => name)).toEqual(names.sort());
    expect(await migrate({ ownerUrl: server.url })).toEqual({ applied: false });
  });

  it('leaves no difference between the migrations and the schema', async () => {
    const { stdout } = await prisma(server.url, 'status');
    expect(stdout).toContain('Database schema is up to date!');
  });

  it('creates the database it is pointed at', async () => {
    const url = onDatabase(server.url, 'made by migrate');
    expect(await migrate({ ownerUrl: url })).toEqual({ applied: true });
    expect(await select(url, 'SELECT count(*)::int AS n FROM tenants')).toEqual([{ n: 0 }]);
  });

  it('says which migration failed, and with what', async () => {
    const root = copyOfMigrations();
    const bad = join(root, 'prisma', 'migrations', '99990101000000_bad');
    mkdirSync(bad);
    writeFileSync(join(bad, 'migration.sql'), 'ALTER TABLE no_such_table ADD COLUMN x int;');
    const { url } = await freshDatabase(server.url);
    await expect(migrate({ ownerUrl: url, root })).rejects.toThrow(
      /No such table: no_such_table[\s\S]*99990101000000_bad/,
    );
  });
});

describe('createAppRole', () => {
  it('gives a login that row-level security holds for', async () => {
    const password = "p@ss:w/o'rd %41";
    const fresh = await freshDatabase(server.url);
    const appUrl = onDatabase(await createAppRole({ ownerUrl: server.url, password }), fresh.name);
    const [role] = await select(
      appUrl,
      'SELECT current_user AS name, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user',
    );
    expect(role).toEqual({ name: 'aril_app', rolsuper: false, rolbypassrls: false });
    const owned = await select(
      appUrl,
      'SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)',
    );
    expect(owned).toEqual([]);
    await expect(select(appUrl, 'ALTER TABLE tenants DISABLE ROW LEVEL SECURITY')).rejects.toThrow(
      /must be owner/,
    );
    await expect(select(appUrl, 'SELECT * FROM accounts')).rejects.toThrow(/permission denied/);
    await fresh.drop();
  });

  it('refuses a role of that name that could undo row-level security', async () => {
    await select(server.url, 'ALTER ROLE aril_app BYPASSRLS');
    try {
      await expect(createAppRole({ ownerUrl: server.url, password: 'x' })).rejects.toThrow(
        /aril_app has BYPASSRLS/,
      );
    } finally {
      await select(server.url, 'ALTER ROLE aril_app NOBYPASSRLS');
    }
  });

  it('may run twice at once', async () => {
    await Promise.all([1, 2, 3].map(() => createAppRole({ ownerUrl: server.url, password: 'same' })));
  });
});

describe('freshDatabase', () => {
  it('is a copy that shares nothing with its source', async () => {
    const [one, two] = [await freshDatabase(server.url), await freshDatabase(server.url)];
    await select(one.url, 'CREATE TABLE only_here (n int)');
    const found = await select(two.url, "SELECT to_regclass('only_here') AS found");
    expect(found).toEqual([{ found: null }]);
    await Promise.all([one.drop(), two.drop()]);
  });
});
