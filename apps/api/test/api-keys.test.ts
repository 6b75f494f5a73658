import { withClient } from '@aril/local-services';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../src/base/config/config.js';
import { createTenant, type Credentials, data, graphql, startApp, type TestApp } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
interface Key {
  id: string;
  name: string;
  prefix: string;
  lastUsedAt: string | null;
  expiresAt: string | null;
}

const CREATE = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id name prefix lastUsedAt expiresAt } } }';
const REVOKE = 'mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKeyId } }';
const LIST = '{ tenant { apiKeys { id name prefix lastUsedAt expiresAt } } }';

describe('API keys', () => {
  let test: TestApp;
  let shop: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    test = await startApp();
    shop = await createTenant(test);
    other = await createTenant(test);
  });
  afterAll(() => test.stop());

  const create = async (input: object, as = shop): Promise<{ secret: string; apiKey: Key }> =>
    (await data(graphql<{ createApiKey: { secret: string; apiKey: Key } }>(test, as.user.cookie, CREATE, { input }))).createApiKey;
  const list = async (as = shop): Promise<Key[]> =>
    (await data(graphql<{ tenant: { apiKeys: Key[] } }>(test, as.user.cookie, LIST))).tenant.apiKeys;
  const codeWith = async (secret: string): Promise<string | undefined> =>
    (await graphql(test, { authorization: `Bearer ${secret}` }, '{ tenant { id } }')).errors?.[0]?.extensions.code;

  it('shows a key once, and keeps only its hash', async () => {
    const { secret, apiKey } = await create({ name: ' CI ' });
    expect(secret).toMatch(/^aril_[\w-]{32}$/);
    expect(apiKey).toMatchObject({ name: 'CI', prefix: secret.slice(0, 11), expiresAt: null });
    expect(await codeWith(secret)).toBeUndefined();
    expect(JSON.stringify(await list())).not.toContain(secret);
    const { rows } = await withClient(test.ownerUrl, (client) => client.query('SELECT * FROM api_keys'));
    expect(JSON.stringify(rows)).not.toContain(secret.slice(12));
    expect(rows.every((row: { key_hash: string }) => /^[0-9a-f]{64}$/.test(row.key_hash))).toBe(true);
  });

  it('notes that a key was used', async () => {
    const { secret, apiKey } = await create({ name: 'used' });
    expect(apiKey.lastUsedAt).toBeNull();
    await codeWith(secret);
    const used = (await list()).find((key) => key.id === apiKey.id);
    expect(Date.now() - Date.parse(used?.lastUsedAt as string)).toBeLessThan(60_000);
  });

  it('keeps keys when the secret of sessions is changed and its old value is named', async () => {
    const { secret } = await create({ name: 'outlives' });
    const { AUTH_SECRET } = test.config;
    const fresh = { AUTH_SECRET: 'x'.repeat(32) };
    const whoWith = async (changes: Partial<Config>, credentials: Credentials): Promise<string | undefined> => {
      const changed = await test.peer(changes);
      const { errors } = await graphql(changed, credentials, '{ tenant { id } }');
      await changed.stop();
      return errors?.[0]?.extensions.code;
    };
    const key = { authorization: `Bearer ${secret}` };
    expect(await whoWith({ ...fresh, API_KEY_SECRET: AUTH_SECRET }, key)).toBeUndefined();
    expect(await whoWith({ ...fresh, API_KEY_SECRET: AUTH_SECRET }, shop.user.cookie)).toBe('UNAUTHENTICATED');
    expect(await whoWith(fresh, key)).toBe('UNAUTHENTICATED');
  });

  it('revokes at once, and once', async () => {
    const { secret, apiKey } = await create({ name: 'revoked' });
    await data(graphql(test, shop.user.cookie, REVOKE, { id: apiKey.id }));
    expect(await codeWith(secret)).toBe('UNAUTHENTICATED');
    expect((await list()).map((key) => key.id)).not.toContain(apiKey.id);
    expect((await graphql(test, shop.user.cookie, REVOKE, { id: apiKey.id })).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
  });

  it('ends with its expiry', async () => {
    const { secret } = await create({ name: 'brief', expiresAt: new Date(Date.now() + 400).toISOString() });
    expect(await codeWith(secret)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await codeWith(secret)).toBe('UNAUTHENTICATED');
  });

  it.each([
    ['name', { name: '  ' }],
    ['name', { name: 'x'.repeat(81) }],
    ['expiresAt', { name: 'late', expiresAt: '2020-01-01T00:00:00Z' }],
  ])('names the field at fault: %s', async (field, input) => {
    const { errors } = await graphql(test, shop.user.cookie, CREATE, { input });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
  });

  it('is for signed-in people: keys neither list nor make nor revoke keys', async () => {
    const { apiKey } = await create({ name: 'target' });
    for (const [query, variables] of [[LIST, {}], [CREATE, { input: { name: 'x' } }], [REVOKE, { id: apiKey.id }]] as const) {
      expect((await graphql(test, shop.key, query, variables)).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
      expect((await graphql(test, {}, query, variables)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    }
  });

  it('names the field that Postgres cannot hold', async () => {
    const { errors } = await graphql(test, shop.user.cookie, CREATE, { input: { name: 'a\0b' } });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'name' });
  });

  it('keeps a name with half a surrogate pair as Postgres does, in the audit log too', async () => {
    const { apiKey } = await create({ name: 'cut \ud83d' });
    const { tenant } = await data(graphql<{ tenant: { auditEvents: { nodes: { changes: { field: string; after: string }[] }[] } } }>(
      test,
      shop.user.cookie,
      'query ($id: ID!) { tenant { auditEvents(filter: { resourceId: $id }) { nodes { changes { field after } } } } }',
      { id: apiKey.id },
    ));
    expect(tenant.auditEvents.nodes[0]?.changes).toContainEqual({ field: 'name', after: 'cut \ufffd' });
  });

  it("does not find other tenants' keys", async () => {
    const { apiKey, secret } = await create({ name: 'mine' });
    expect((await list(other)).map((key) => key.id)).not.toContain(apiKey.id);
    expect((await graphql(test, other.user.cookie, REVOKE, { id: apiKey.id })).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    expect((await graphql(test, other.user.cookie, REVOKE, { id: 'nonsense' })).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    expect(await codeWith(secret)).toBeUndefined();
  });

  it.each(['aril_', `aril_${'A'.repeat(32)}`, 'sk-something-else', `aril_${"'".repeat(32)}`])('refuses %s', async (secret) => {
    expect(await codeWith(secret)).toBe('UNAUTHENTICATED');
  });

  it('says so in HTTP too, and does not fall back to a cookie', async () => {
    const response = await fetch(`${test.url}/uploads/x`, { method: 'HEAD', headers: { authorization: 'Basic eDp5', ...shop.user.cookie } });
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });
});
