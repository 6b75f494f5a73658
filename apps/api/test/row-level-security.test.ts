import { withClient } from '@aril/local-services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TenantDatabase } from '../src/base/prisma/tenant-database.js';
import { AdapterModel } from '../src/models/adapter.model.js';
import { createAdapter, fixture } from './adapter-fixtures.js';
import { createDeployment } from './deployment-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';

/** Tables of all tenants, or of none. A new table without a policy is either added here on purpose or a mistake. */
const SHARED = ['base_models', 'prices', '_prisma_migrations'];

describe('row-level security', () => {
  let test: TestApp;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let two: Awaited<ReturnType<typeof createTenant>>;

  beforeAll(async () => {
    test = await startApp();
    one = await createTenant(test);
    two = await createTenant(test);
    for (const { key } of [one, two]) {
      await createAdapter(test, key, 'secret', fixture('a'));
      await createDeployment(test, key, { slug: 'secret-split' });
    }
  });
  afterAll(() => test.stop());

  const asOwner = async (sql: string): Promise<Record<string, string>[]> =>
    (await withClient(test.ownerUrl, (client) => client.query(sql))).rows as Record<string, string>[];

  /** Runs statements as the API's login, in one transaction, and answers the last one's rows. */
  async function asApi(statements: [string, unknown[]?][], options?: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: test.config.DATABASE_URL, options });
    await client.connect();
    try {
      await client.query('BEGIN');
      let rows: Record<string, unknown>[] = [];
      for (const [sql, values] of statements) rows = (await client.query(sql, values)).rows as Record<string, unknown>[];
      await client.query('COMMIT');
      return rows;
    } finally {
      await client.end();
    }
  }
  const act = (tenantId: string): [string, unknown[]] => ["SELECT set_config('app.tenant_id', $1, true)", [tenantId]];

  it('is forced, with a policy, on every table but the shared ones', async () => {
    const tables = await asOwner(`
      SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))`);
    expect(tables.map(({ name }) => name).sort()).toEqual([...SHARED].sort());
  });

  it('covers every table with a tenant_id', async () => {
    const tables = await asOwner(`
      SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'
      EXCEPT SELECT tablename FROM pg_policies WHERE qual LIKE '%current_tenant_id()%'`);
    expect(tables).toEqual([]);
  });

  it('holds for roles that own nothing and bypass nothing', async () => {
    const roles = await asOwner(`
      SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
        (SELECT count(*)::int FROM pg_class c WHERE c.relowner = r.oid) AS owned
      FROM pg_roles r WHERE rolname IN ('aril_app', 'aril_identity', 'aril_retention') ORDER BY rolname`);
    const none = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, owned: 0 };
    expect(roles).toEqual([{ rolname: 'aril_app', ...none }, { rolname: 'aril_identity', ...none }, { rolname: 'aril_retention', ...none }]);
  });

  it.each(['adapters', 'adapter_files', 'deployments', 'deployment_variants', 'api_keys', 'tenants', 'memberships', 'users', 'audit_events'])('%s: nothing without a tenant, only its own rows with one', async (table) => {
    const column = table === 'tenants' ? 'id' : 'tenant_id';
    expect(await asApi([[`SELECT 1 FROM ${table}`]])).toEqual([]);
    const rows = await asApi([act(one.id), [`SELECT * FROM ${table}`]]);
    expect(rows.length).toBeGreaterThan(0);
    if (table === 'users') expect(rows.map((row) => row['email'])).toEqual([one.user.email]);
    else expect(new Set(rows.map((row) => row[column]))).toEqual(new Set([one.id]));
  });

  it("does not let a tenant write into another's rows", async () => {
    expect(await asApi([act(one.id), ["UPDATE adapters SET name = 'taken' WHERE tenant_id = $1 RETURNING id", [two.id]]])).toEqual([]);
    expect(await asApi([act(one.id), ['DELETE FROM adapters WHERE tenant_id = $1 RETURNING id', [two.id]]])).toEqual([]);
    const insert = 'INSERT INTO api_keys (id, tenant_id, name, prefix, key_hash) VALUES (gen_random_uuid(), $1, $2, $2, $2)';
    await expect(asApi([act(one.id), [insert, [two.id, 'forged']]])).rejects.toThrow(/row-level security/);
    await expect(asApi([act(one.id), ['UPDATE adapters SET tenant_id = $1', [two.id]]])).rejects.toThrow(/row-level security/);
  });

  it('shows an API key before its tenant is known, to whoever has its hash', async () => {
    const [row] = await asOwner('SELECT key_hash FROM api_keys LIMIT 1');
    const set = (hash: unknown): [string, unknown[]] => ["SELECT set_config('app.api_key_hash', $1, true)", [hash]];
    expect(await asApi([set(row?.['key_hash']), ['SELECT * FROM api_keys']])).toHaveLength(1);
    expect(await asApi([set('0'.repeat(64)), ['SELECT * FROM api_keys']])).toEqual([]);
    expect(await asApi([set(''), ['SELECT * FROM api_keys']])).toEqual([]);
  });

  it.each(['accounts', 'sessions', 'verifications'])('%s is out of reach of the API proper', async (table) => {
    await expect(asApi([act(one.id), [`SELECT * FROM ${table}`]])).rejects.toThrow(/permission denied/);
  });

  it('keeps Better Auth out of tenant data', async () => {
    const options = '-c role=aril_identity';
    expect((await asApi([['SELECT * FROM users']], options)).length).toBeGreaterThanOrEqual(2);
    const tables = ['adapters', 'deployments', 'api_keys', 'generations', 'ledger_entries', 'statements', 'statement_lines', 'billing_details'];
    for (const table of tables) {
      await expect(asApi([act(one.id), [`SELECT * FROM ${table}`]], options)).rejects.toThrow(/permission denied/);
    }
  });

  it('does not let the API change the ledger, a statement or a price', async () => {
    const tables = ['statements', 'statement_lines'].flatMap((table) => [`UPDATE ${table} SET amount_nano_usd = 0`, `DELETE FROM ${table}`]);
    for (const sql of [...tables, 'UPDATE ledger_entries SET amount_nano_usd = 0', 'DELETE FROM ledger_entries', 'UPDATE prices SET valid_from = now()', 'DELETE FROM prices']) {
      await expect(asApi([act(one.id), [sql]])).rejects.toThrow(/permission denied/);
    }
  });

  describe('TenantDatabase', () => {
    it('refuses queries outside of a tenant, and one tenant inside another', async () => {
      const database = test.app.get(TenantDatabase);
      const adapters = test.app.get(AdapterModel);
      expect(() => adapters.findBySlug('secret')).toThrow(/outside of TenantDatabase/);
      await expect(database.inTenant(one.id, () => database.inTenant(two.id, () => adapters.all('UPLOADING')))).rejects.toThrow(/inside another/);
      await expect(database.inTenant('not-a-uuid', () => adapters.all('UPLOADING'))).rejects.toThrow(/expected a tenant id/);
    });

    it('keeps transactions that run side by side apart', async () => {
      const database = test.app.get(TenantDatabase);
      const adapters = test.app.get(AdapterModel);
      const tenants = Array.from({ length: 20 }, (_, i) => (i % 2 ? one.id : two.id));
      const rows = await Promise.all(tenants.map((id) => database.inTenant(id, () => adapters.findBySlug('secret'))));
      expect(rows.map((row) => row?.tenantId)).toEqual(tenants);
    });
  });
});
