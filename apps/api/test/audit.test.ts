import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { TenantDatabase } from '../src/base/prisma/tenant-database.js';
import { AdapterPurge } from '../src/core/adapters/adapter-purge.js';
import { AuditTrail } from '../src/core/audit/audit-trail.js';
import { StatementIssuer } from '../src/core/billing/statement-issuer.js';
import { bringAdapter, createAdapter, fixture } from './adapter-fixtures.js';
import { auditEvents, newest } from './audit-fixtures.js';
import { use } from './billing-fixtures.js';
import { createDeployment } from './deployment-fixtures.js';
import { sql } from './generation-fixtures.js';
import { type Credentials, createTenant, data, graphql, ORIGIN, signUp, startApp, type TestApp, TEST_MODEL } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

describe('what is changed through the API', () => {
  let test: TestApp;
  let shop: Tenant;
  beforeAll(async () => {
    test = await startApp();
    shop = await createTenant(test);
  });
  afterAll(() => test.stop());

  const ask = (query: string, variables: object = {}, credentials: Credentials = shop.user.cookie) =>
    graphql<Record<string, Record<string, { id: string }>>>(test, credentials, query, { ...variables });
  const last = (action: string) => newest(test, shop.user.cookie, action);
  const of = (action: string) => auditEvents(test, shop.user.cookie, { action });
  const total = async () => (await auditEvents(test, shop.user.cookie)).length;

  it('says who, what, to what, from where and in which request', async () => {
    const response = await fetch(`${test.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'audit-test/1', 'x-forwarded-for': '203.0.113.7', 'x-request-id': 'request-0001', ...shop.user.cookie },
      body: JSON.stringify({ query: 'mutation { createApiKey(input: { name: "ci" }) { secret apiKey { id prefix } } }' }),
    });
    const { data: made } = (await response.json()) as { data: { createApiKey: { secret: string; apiKey: { id: string; prefix: string } } } };
    const event = await last('apiKey.create');
    expect(event).toMatchObject({
      actor: { type: 'USER', name: 'Test User', handle: shop.user.email },
      resource: { type: 'apiKey', id: made.createApiKey.apiKey.id, label: 'ci', exists: true },
      changes: [
        { field: 'name', before: null, after: 'ci' },
        { field: 'prefix', before: null, after: made.createApiKey.apiKey.prefix },
        { field: 'permissions', before: null, after: ['full'] },
        { field: 'targets', before: null, after: 'all' },
      ],
      requestId: 'request-0001',
      // The tests' connection comes from loopback, which the default TRUST_PROXY believes.
      ipAddress: '203.0.113.7',
      userAgent: 'audit-test/1',
    });
    const [row] = await sql<{ text: string }>(test, 'SELECT audit_events::text AS text FROM audit_events WHERE id = $1', [event.id]);
    expect(row?.text).not.toContain(made.createApiKey.secret);
    const [{ hash } = { hash: '' }] = await sql<{ hash: string }>(test, 'SELECT key_hash AS hash FROM api_keys WHERE id = $1', [made.createApiKey.apiKey.id]);
    expect(row?.text).not.toContain(hash);

    await data(ask('mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKeyId } }', { id: made.createApiKey.apiKey.id }));
    expect(await last('apiKey.revoke')).toMatchObject({ resource: { label: 'ci', exists: false }, changes: [{ field: 'revokedAt', before: null }] });
  });

  it('does not believe an address that a stranger claims', async () => {
    const strict = await startApp({ TRUST_PROXY: 'false' });
    try {
      const { user } = await createTenant(strict);
      await graphql(strict, { ...user.cookie, 'x-forwarded-for': '203.0.113.7' }, 'mutation { createApiKey(input: { name: "ci" }) { secret } }');
      expect((await newest(strict, user.cookie, 'apiKey.create')).ipAddress).toMatch(/127\.0\.0\.1$/);
    } finally {
      await strict.stop();
    }
  });

  it('says from where over a WebSocket, too', async () => {
    const headers = { ...shop.user.cookie, origin: ORIGIN, 'x-forwarded-for': '192.0.2.7, 198.51.100.9' };
    const socket = new WebSocket(`${test.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
    await once(socket, 'open');
    const query = 'mutation { createApiKey(input: { name: "over a socket" }) { secret } }';
    for (const message of [{ type: 'connection_init' }, { id: '1', type: 'subscribe', payload: { query } }]) {
      socket.send(JSON.stringify(message));
      await once(socket, 'message');
    }
    socket.close();
    expect(await last('apiKey.create')).toMatchObject({ changes: [{ after: 'over a socket' }, {}, {}, {}], ipAddress: '198.51.100.9' });
  });

  it('names an API key by its name and prefix', async () => {
    await createAdapter(test, shop.key, 'by-key', fixture('a'));
    const prefix = shop.key.authorization.slice('Bearer '.length, 'Bearer '.length + 11);
    expect((await last('adapter.create')).actor).toMatchObject({ type: 'API_KEY', name: 'test', handle: prefix });
  });

  it("follows an adapter from its creation to its files' end", async () => {
    const { id, sha256 } = await bringAdapter(test, shop.key, 'tone', fixture('a'));
    expect((await last('adapter.create')).changes).toContainEqual({ field: 'slug', before: null, after: 'tone' });
    expect((await last('adapter.finishUpload')).changes).toEqual([
      { field: 'status', before: 'UPLOADING', after: 'READY' },
      { field: 'sha256', before: null, after: sha256 },
    ]);
    await data(ask('mutation ($id: ID!) { finishAdapterUpload(input: { adapterId: $id }) { adapter { id } } }', { id }));
    expect(await of('adapter.finishUpload')).toHaveLength(1);

    const rename = 'mutation ($id: ID!, $name: String!) { updateAdapter(input: { adapterId: $id, name: $name }) { adapter { id } } }';
    await data(ask(rename, { id, name: 'Tone of voice' }));
    await data(ask(rename, { id, name: 'Tone of voice' }));
    expect((await of('adapter.update')).map(({ changes }) => changes)).toEqual([[{ field: 'name', before: 'tone', after: 'Tone of voice' }]]);

    await data(ask('mutation ($id: ID!) { deleteAdapter(input: { adapterId: $id }) { adapterId } }', { id }));
    expect(await last('adapter.delete')).toMatchObject({ resource: { label: 'tone', exists: false } });
    for (let run = 0; run < 2; run++) await test.app.get(AdapterPurge, { strict: false }).sweep(Date.now() + 86_400_000);
    expect((await of('adapter.purge')).map(({ actor }) => actor)).toEqual([{ type: 'SYSTEM', id: null, name: 'System', handle: null }]);
  });

  it('tells changes at once as one after the other', async () => {
    const { id } = await createAdapter(test, shop.key, 'busy', fixture('a'));
    const rename = 'mutation ($id: ID!, $name: String!) { updateAdapter(input: { adapterId: $id, name: $name }) { adapter { id } } }';
    await Promise.all(Array.from({ length: 8 }, (_, index) => data(ask(rename, { id, name: `name ${index}` }))));
    const changes = (await of('adapter.update')).filter(({ resource }) => resource.id === id).map(({ changes: [change] }) => change);
    expect(changes).toHaveLength(8);
    expect(new Set(changes.map((change) => change?.before)).size).toBe(8);
  });

  it('records a refused adapter, and that another one took its place', async () => {
    const broken = { ...fixture('a'), 'adapter_config.json': Buffer.from('{}') };
    const { id } = await bringAdapter(test, shop.key, 'broken', broken);
    expect((await last('adapter.finishUpload')).changes).toContainEqual({ field: 'status', before: 'UPLOADING', after: 'REFUSED' });
    await createAdapter(test, shop.key, 'broken', fixture('a'));
    expect((await last('adapter.discard')).resource).toMatchObject({ id, label: 'broken' });
  });

  it('records a deployment with its variants', async () => {
    const { id } = await createDeployment(test, shop.key, { slug: 'split' });
    const update = 'mutation ($id: ID!, $variants: [DeploymentVariantInput!]!) { updateDeployment(input: { deploymentId: $id, variants: $variants }) { deployment { id } } }';
    await data(ask(update, { id, variants: [{ target: TEST_MODEL, weight: 7 }] }));
    const { changes } = await last('deployment.update');
    expect(changes.map(({ field }) => field)).toEqual(['variants']);
    expect(changes[0]?.after).toEqual([{ target: TEST_MODEL, weight: 7 }]);
    await data(ask('mutation ($id: ID!) { deleteDeployment(input: { deploymentId: $id }) { deploymentId } }', { id }));
    expect((await of('deployment.delete')).length + (await of('deployment.create')).length).toBe(2);
  });

  it('records limits in dollars, and billing details', async () => {
    await data(ask('mutation { updateTenantLimits(input: { budgetHard: "2500000000", parallelRequests: 3 }) { tenant { id } } }'));
    expect((await last('limits.update')).changes).toEqual([
      { field: 'parallelRequests', before: null, after: 3 },
      { field: 'budgetHardUsd', before: null, after: '2.5' },
    ]);
    const [{ id } = { id: '' }] = await sql<{ id: string }>(test, "SELECT id FROM api_keys WHERE tenant_id = $1 AND name = 'test'", [shop.id]);
    await data(ask('mutation ($id: ID!) { updateApiKeyLimits(input: { apiKeyId: $id, requestsPerMinute: 5 }) { apiKey { id } } }', { id }));
    expect((await last('limits.update')).resource).toMatchObject({ type: 'limits', id, label: 'test' });
    await data(ask('mutation { updateBillingDetails(input: { legalName: "Shop Ltd" }) { billingDetails { legalName } } }'));
    expect((await last('billingDetails.update')).changes).toEqual([{ field: 'legalName', before: '', after: 'Shop Ltd' }]);
  });

  it('records a statement as the system’s', async () => {
    await use(test, shop.id, { at: '2026-09-10T00:00:00.000Z' });
    const [row] = await test.app.get(StatementIssuer, { strict: false }).issueDueOf(shop.id);
    expect(await last('statement.issue')).toMatchObject({ actor: { type: 'SYSTEM' }, resource: { id: row?.id, label: row?.number, exists: true }, requestId: null });
  });

  it('leaves nothing of what was refused, rolled back or already so', async () => {
    const before = await total();
    expect((await ask('mutation { createApiKey(input: { name: "" }) { secret } }')).errors).toHaveLength(1);
    expect((await ask('mutation { createApiKey(input: { name: "x" }) { secret } }', {}, shop.key)).errors?.[0]?.extensions.reason).toBe('FORBIDDEN');
    expect((await ask('mutation { updateTenantLimits(input: { budgetSoft: "9", budgetHard: "1" }) { tenant { id } } }')).errors).toHaveLength(1);
    await data(ask('mutation { updateBillingDetails(input: { legalName: "Shop Ltd" }) { billingDetails { legalName } } }'));
    const failing = test.app.get(TenantDatabase).inTenant(shop.id, async () => {
      await test.app.get(AuditTrail).record('tenant.rename', { id: shop.id, label: 'x' });
      throw new Error('on second thought');
    });
    await expect(failing).rejects.toThrow('on second thought');
    expect(await total()).toBe(before);
  });

  it('undoes a change that could not be recorded', async () => {
    const other = await signUp(test);
    await sql(test, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`);
    await sql(test, 'CREATE TRIGGER refuse BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse()');
    try {
      expect((await ask('mutation { createApiKey(input: { name: "unseen" }) { secret } }', {}, other.cookie)).errors?.[0]?.extensions.reason).toBe('INTERNAL');
      const response = await fetch(`${test.url}/api/auth/organization/update`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'http://127.0.0.1:3000', ...other.cookie },
        body: JSON.stringify({ data: { name: 'unseen' } }),
      });
      expect(response.status).toBe(500);
    } finally {
      await sql(test, 'DROP FUNCTION refuse CASCADE');
    }
    expect(await sql(test, "SELECT 1 FROM api_keys WHERE name = 'unseen' UNION ALL SELECT 1 FROM tenants WHERE name = 'unseen'")).toEqual([]);
  });
});
