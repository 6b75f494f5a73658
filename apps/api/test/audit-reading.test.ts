import { randomUUID } from 'node:crypto';
import { withClient } from '@aril/local-services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuditRetention } from '../src/core/audit/audit-retention.js';
import { auditEvents, auditPage, AUDIT_QUERY } from './audit-fixtures.js';
import { createApiKey, createTenant, type Credentials, data, graphql, startApp, type TestApp } from './harness.js';
import { team, type Team } from './member-fixtures.js';

const DAY_MS = 86_400_000;

describe('the audit log is read', () => {
  let test: TestApp;
  let shop: Team;
  let key: Credentials;
  beforeAll(async () => {
    test = await startApp({ AUDIT_RETENTION_DAYS: '90' });
    shop = await team(test);
    for (let i = 0; i < 3; i++) key = await createApiKey(test, shop.owner, `=key ${i}`);
  });
  afterAll(() => test.stop());

  const code = async (credentials: Credentials, variables: object = {}) =>
    (await graphql(test, credentials, AUDIT_QUERY, { ...variables })).errors?.[0]?.extensions.reason;
  const download = (file: string, credentials: Credentials) => fetch(`${test.url}/audit-events/${file}`, { headers: credentials });

  it('by owners and admins, not by members, API keys and strangers', async () => {
    expect(await Promise.all([shop.owner.cookie, shop.admin.cookie].map((who) => code(who)))).toEqual([undefined, undefined]);
    expect(await Promise.all([shop.member.cookie, key, {}].map((who) => code(who)))).toEqual(['FORBIDDEN', 'FORBIDDEN', 'UNAUTHENTICATED']);
    const files = await Promise.all([shop.member.cookie, key, {}].map((who) => download('events.csv', who)));
    expect(files.map(({ status }) => status)).toEqual([403, 403, 401]);
  });

  it("by its own tenant only", async () => {
    const other = await createTenant(test);
    const [mine, theirs] = [await auditEvents(test, shop.owner.cookie), await auditEvents(test, other.user.cookie)];
    expect(mine.filter(({ id }) => theirs.some((event) => event.id === id))).toEqual([]);
    expect(theirs.map(({ resource }) => resource.id)).toContain(other.id);
    expect(mine.map(({ resource }) => resource.id)).not.toContain(other.id);
    const [foreign] = theirs;
    expect(await auditEvents(test, shop.owner.cookie, { resourceId: foreign?.resource.id })).toEqual([]);
  });

  it('page by page, newest first', async () => {
    const all = await auditEvents(test, shop.owner.cookie);
    const found: string[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const page = await auditPage(test, shop.owner.cookie, { first: 2, after });
      expect(page.totalCount).toBe(all.length);
      found.push(...page.nodes.map(({ id }) => id));
      ({ hasNextPage: more, endCursor: after } = page.pageInfo);
    }
    expect(found).toEqual(all.map(({ id }) => id));
    expect(all.map(({ createdAt }) => createdAt)).toEqual([...all.map(({ createdAt }) => createdAt)].sort().reverse());
  });

  it('by who, what, to what and when', async () => {
    const filtered = (filter: object) => auditEvents(test, shop.owner.cookie, filter);
    const [newest] = await filtered({ action: 'apiKey.create' });
    if (!newest) throw new Error('no key was made');
    expect((await filtered({ action: 'apiKey.create' })).length).toBeGreaterThanOrEqual(3);
    expect(new Set((await filtered({ resourceType: 'apiKey' })).map(({ resource }) => resource.type))).toEqual(new Set(['apiKey']));
    expect(await filtered({ resourceId: newest.resource.id })).toEqual([newest]);
    expect(new Set((await filtered({ actorId: newest.actor.id })).map(({ actor }) => actor.handle))).toEqual(new Set([shop.owner.email]));
    expect(await filtered({ actorType: 'SYSTEM' })).toEqual([]);
    expect(await filtered({ from: newest.createdAt })).toContainEqual(newest);
    expect(await filtered({ to: newest.createdAt })).not.toContainEqual(newest);
    const { tenant } = await data(graphql<{ tenant: { auditActors: { handle: string }[] } }>(test, shop.owner.cookie, '{ tenant { auditActors { type id name handle } } }'));
    expect(tenant.auditActors.map(({ handle }) => handle).sort()).toEqual([shop.owner, shop.admin, shop.member].map(({ email }) => email).sort());
  });

  it.each([
    ['an action that there is not', { action: 'adapter.fly' }],
    ['a type that there is not', { resourceType: 'moon' }],
    ['an id that is none', { resourceId: 'x' }],
    ['a period that ends before it begins', { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
  ])('and not by %s', async (_, filter) => {
    expect(await code(shop.owner.cookie, { filter })).toBe('BAD_INPUT');
    expect((await download(`events.csv?${new URLSearchParams(filter as Record<string, string>).toString()}`, shop.owner.cookie)).status).toBe(400);
  });

  it.each([
    ['a day that there is not', { from: '2026-02-30T00:00:00Z' }, 'from'],
    ['a day without a time', { from: '2026-01-01' }, 'from'],
    ['a number', { to: '1' }, 'to'],
    ['a condition that there is not', { actor: 'me' }, 'actor'],
  ])('and no file by %s', async (_, filter, field) => {
    const refused = await download(`events.csv?${new URLSearchParams(filter as Record<string, string>).toString()}`, shop.owner.cookie);
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain(field);
  });

  it('as files: CSV that no spreadsheet runs, and a JSON object a line', async () => {
    const events = await auditEvents(test, shop.owner.cookie, { action: 'apiKey.create' });
    const csv = await download('events.csv?action=apiKey.create', shop.owner.cookie);
    expect(csv.headers.get('content-disposition')).toContain('audit-events.csv');
    const [head, ...lines] = (await csv.text()).trimEnd().split('\r\n');
    expect(head).toMatch(/^id,time,actor_type,actor_id,.*,changes,request_id,ip_address,user_agent$/);
    expect(lines.map((line) => line.split(',')[0])).toEqual(events.map(({ id }) => id));
    expect(lines[0]).toContain("'=key 2");
    const jsonl = await download('events.jsonl?action=apiKey.create&actorId=', shop.owner.cookie);
    const rows = (await jsonl.text()).trimEnd().split('\n').map((line) => JSON.parse(line) as { id: string; changes: unknown });
    expect(rows.map(({ id, changes }) => ({ id, changes }))).toEqual(events.map(({ id, changes }) => ({ id, changes })));
    expect((await download('events.xml', shop.owner.cookie)).status).toBe(400);
    expect(await (await download('events.jsonl?to=2020-01-01T00:00:00Z', shop.owner.cookie)).text()).toBe('');
  });

  it('as one file, however many batches it takes', async () => {
    const { id, user } = await createTenant(test);
    await insertOld(id, 2_500, 1);
    const rows = (await (await download('events.jsonl?action=adapter.create', user.cookie)).text()).trimEnd().split('\n');
    expect(new Set(rows.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(2_500);
  });

  /** Events of so many days ago. The table's owner writes them: nobody else may say when something was. */
  const insertOld = (tenantId: string, count: number, days: number) =>
    withClient(test.ownerUrl, async (client) => {
      await client.query('ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY');
      await client.query(
        `INSERT INTO audit_events (tenant_id, created_at, actor_type, actor_name, action, resource_type, resource_id, resource_label, changes)
         SELECT $1, now() - make_interval(days => $3), 'SYSTEM', 'System', 'adapter.create', 'adapter', gen_random_uuid(), 'old', '[]' FROM generate_series(1, $2)`,
        [tenantId, count, days],
      );
      await client.query('ALTER TABLE audit_events FORCE ROW LEVEL SECURITY');
    });

  describe('and only grows', () => {
    const as = async (role: string | null, tenantId: string, statement: string): Promise<number | null> => {
      const client = new pg.Client({ connectionString: test.config.DATABASE_URL });
      await client.connect();
      try {
        await client.query('BEGIN');
        await client.query("SELECT set_config('app.tenant_id', $1, true)", [tenantId]);
        if (role) await client.query(`SET LOCAL ROLE ${role}`);
        const { rowCount } = await client.query(statement);
        await client.query('ROLLBACK');
        return rowCount;
      } finally {
        await client.end();
      }
    };
    const INSERT = (columns: string, values: string) =>
      `INSERT INTO audit_events (tenant_id, actor_type, actor_name, action, resource_type, resource_id, resource_label, changes${columns})
       VALUES ('${shop.id}', 'SYSTEM', 'x', 'x', 'x', gen_random_uuid(), 'x', '[]'${values})`;

    it.each(["UPDATE audit_events SET action = 'x'", 'DELETE FROM audit_events', 'TRUNCATE audit_events'])('the API may not: %s', async (statement) => {
      await expect(as(null, shop.id, statement)).rejects.toThrow(/permission denied/);
      await expect(as('aril_identity', shop.id, statement)).rejects.toThrow(/permission denied/);
    });

    it('nobody says when something was, and nobody writes for another tenant', async () => {
      expect(await as(null, shop.id, INSERT('', ''))).toBe(1);
      await expect(as(null, shop.id, INSERT(', created_at', ", '2020-01-01'"))).rejects.toThrow(/permission denied/);
      await expect(as(null, randomUUID(), INSERT('', ''))).rejects.toThrow(/row-level security/);
      await expect(as('aril_identity', shop.id, 'SELECT action FROM audit_events')).rejects.toThrow(/permission denied/);
    });

    it('the role that shortens it reaches one tenant’s events of long ago, and nothing else', async () => {
      const { id } = await createTenant(test);
      await insertOld(id, 2, 31);
      await insertOld(id, 2, 29);
      expect(await as('aril_retention', id, 'DELETE FROM audit_events')).toBe(2);
      expect(await as('aril_retention', randomUUID(), 'DELETE FROM audit_events')).toBe(0);
      for (const statement of ["UPDATE audit_events SET action = 'x'", 'SELECT 1 FROM adapters', 'SELECT 1 FROM users']) {
        await expect(as('aril_retention', id, statement)).rejects.toThrow(/permission denied/);
      }
    });

    it('is shortened when the retention is over, and says so', async () => {
      const { id, user } = await createTenant(test);
      await insertOld(id, 1_500, 91);
      await insertOld(id, 3, 89);
      const before = (await auditPage(test, user.cookie)).totalCount;
      await test.app.get(AuditRetention).purge();
      const purges = await auditEvents(test, user.cookie, { action: 'auditLog.purge' });
      expect(purges.map(({ changes }) => changes[0]?.after)).toEqual([500, 1_000]);
      expect(purges.every(({ actor }) => actor.type === 'SYSTEM')).toBe(true);
      expect((await auditPage(test, user.cookie)).totalCount).toBe(before - 1_500 + 2);
      await test.app.get(AuditRetention).purge(Date.now() - DAY_MS);
      expect((await auditPage(test, user.cookie)).totalCount).toBe(before - 1_500 + 2);
    });
  });
});
