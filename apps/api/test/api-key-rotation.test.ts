import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newest } from './audit-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, type TestApp } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
interface Key {
  id: string;
  name: string;
  prefix: string;
  lastUsedAt: string | null;
  secretLastUsedAt: string | null;
  previousSecret: { prefix: string; worksUntil: string; lastUsedAt: string | null } | null;
  limits: { requestsPerMinute: number | null };
  budget: { hard: string | null; spent: string; resetsAt: string };
}
interface Made {
  secret: string;
  apiKey: Key;
}

const FIELDS = `id name prefix lastUsedAt secretLastUsedAt previousSecret { prefix worksUntil lastUsedAt }
  limits { requestsPerMinute } budget { hard spent resetsAt }`;
const CREATE = `mutation ($input: CreateApiKeyInput!) { made: createApiKey(input: $input) { secret apiKey { ${FIELDS} } } }`;
const ROTATE = `mutation ($input: RotateApiKeyInput!) { made: rotateApiKey(input: $input) { secret apiKey { ${FIELDS} } } }`;
const REVOKE = 'mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKeyId } }';
const DAY_MS = 86_400_000;

describe('rotating an API key', () => {
  let test: TestApp;
  let shop: Tenant;
  beforeAll(async () => {
    test = await startApp();
    shop = await createTenant(test);
  });
  afterAll(() => test.stop());

  const make = async (query: string, input: object): Promise<Made> => (await data(graphql<{ made: Made }>(test, shop.user.cookie, query, { input }))).made;
  const create = (input: object = {}): Promise<Made> => make(CREATE, { name: 'turning', ...input });
  const rotate = (apiKeyId: string, graceSeconds?: number): Promise<Made> => make(ROTATE, { apiKeyId, graceSeconds });
  const reject = async (input: object): Promise<unknown> => (await graphql(test, shop.user.cookie, ROTATE, { input })).errors?.[0];
  const works = async (secret: string): Promise<boolean> => {
    const [told] = (await graphql(test, { authorization: `Bearer ${secret}` }, '{ tenant { id } }')).errors ?? [];
    if (told) expect(told.extensions.code).toBe('UNAUTHENTICATED');
    return told === undefined;
  };
  const found = async (id: string): Promise<Key> => {
    const { tenant } = await data(graphql<{ tenant: { apiKeys: Key[] } }>(test, shop.user.cookie, `{ tenant { apiKeys { ${FIELDS} } } }`));
    return tenant.apiKeys.find((key) => key.id === id)!;
  };

  it('leaves the key what it is; both secrets work, and are that one key', async () => {
    const { secret: old, apiKey } = await create({ limits: { requestsPerMinute: 77, budgetHard: '5000000000' } });
    expect(apiKey.previousSecret).toBeNull();
    await sql(test, "INSERT INTO monthly_spend (tenant_id, api_key_id, month, spent_nano_usd) VALUES ($1, $2, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 123)", [shop.id, apiKey.id]);
    const before = await found(apiKey.id);
    const { secret, apiKey: after } = await rotate(apiKey.id);
    expect(secret).toMatch(/^aril_[\w-]{32}$/);
    expect(secret).not.toBe(old);
    const { id, name, limits, budget } = before;
    expect(after).toMatchObject({ id, name, limits, budget, prefix: secret.slice(0, 11), previousSecret: { prefix: old.slice(0, 11) } });
    expect(after.budget).toMatchObject({ hard: '5000000000', spent: '123' });
    const graceMs = Date.parse(after.previousSecret!.worksUntil) - Date.now();
    expect(graceMs).toBeGreaterThan(DAY_MS - 60_000);
    expect(graceMs).toBeLessThanOrEqual(DAY_MS);
    expect([await works(old), await works(secret)]).toEqual([true, true]);
    const rows = await sql(test, 'SELECT * FROM api_keys');
    for (const one of [old, secret]) expect(JSON.stringify(rows)).not.toContain(one.slice(12));
  });

  it('ends the old secret with the grace, and says no more of it', async () => {
    const { secret: old, apiKey } = await create();
    const { secret } = await rotate(apiKey.id, 1);
    expect(await works(old)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect([await works(old), await works(secret)]).toEqual([false, true]);
    expect((await found(apiKey.id)).previousSecret).toBeNull();
  });

  it('without a grace ends it at once', async () => {
    const { secret: old, apiKey } = await create();
    const { secret, apiKey: after } = await rotate(apiKey.id, 0);
    expect([await works(old), await works(secret), after.previousSecret]).toEqual([false, true, null]);
  });

  it('a second time ends the oldest at once', async () => {
    const { secret: first, apiKey } = await create();
    const { secret: second } = await rotate(apiKey.id, 600);
    const { secret: third } = await rotate(apiKey.id, 600);
    expect([await works(first), await works(second), await works(third)]).toEqual([false, true, true]);
    const { secret: fourth } = await rotate(apiKey.id, 0);
    expect([await works(second), await works(third), await works(fourth)]).toEqual([false, false, true]);
  });

  it('many times at once leaves two secrets that work', async () => {
    const { secret: first, apiKey } = await create();
    const made = await Promise.all(Array.from({ length: 6 }, () => rotate(apiKey.id, 600)));
    const secrets = [first, ...made.map(({ secret }) => secret)];
    expect(new Set(secrets).size).toBe(7);
    const working = (await Promise.all(secrets.map(async (one) => ((await works(one)) ? one.slice(0, 11) : null)))).filter((one) => one !== null);
    const { prefix, previousSecret } = await found(apiKey.id);
    expect(working.sort()).toEqual([prefix, previousSecret!.prefix].sort());
    const [row] = await sql<{ secret_version: number }>(test, 'SELECT secret_version FROM api_keys WHERE id = $1', [apiKey.id]);
    expect(row?.secret_version).toBe(7);
  });

  it('revoking ends both', async () => {
    const { secret: old, apiKey } = await create();
    const { secret } = await rotate(apiKey.id);
    await data(graphql(test, shop.user.cookie, REVOKE, { id: apiKey.id }));
    expect([await works(old), await works(secret)]).toEqual([false, false]);
    expect(await reject({ apiKeyId: apiKey.id })).toMatchObject({ extensions: { code: 'NOT_FOUND', field: 'apiKeyId' } });
  });

  it('expiry ends both, and no grace promises more than that', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const { secret: old, apiKey } = await create({ expiresAt });
    const { secret, apiKey: after } = await rotate(apiKey.id, 3_600);
    expect(after.previousSecret?.worksUntil).toBe(expiresAt);
    expect([await works(old), await works(secret)]).toEqual([true, true]);
    await new Promise((resolve) => setTimeout(resolve, Math.max(Date.parse(expiresAt) - Date.now() + 50, 0)));
    expect([await works(old), await works(secret)]).toEqual([false, false]);
    expect(await reject({ apiKeyId: apiKey.id })).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', field: 'apiKeyId' } });
  });

  it('tells when each secret was used, so that one sees when the old one is not needed any more', async () => {
    const { secret: old, apiKey } = await create();
    await works(old);
    const used = (await found(apiKey.id)).secretLastUsedAt;
    expect(used).not.toBeNull();
    const { secret, apiKey: after } = await rotate(apiKey.id);
    expect(after).toMatchObject({ lastUsedAt: used, secretLastUsedAt: null, previousSecret: { lastUsedAt: used } });
    await works(secret);
    const now = await found(apiKey.id);
    expect(now.secretLastUsedAt).not.toBeNull();
    expect(now.previousSecret?.lastUsedAt).toBe(used);
    await sql(test, "UPDATE api_keys SET previous_last_used_at = now() - interval '1 hour', secret_last_used_at = now() - interval '1 hour' WHERE id = $1", [apiKey.id]);
    await works(old);
    const again = await found(apiKey.id);
    expect(Date.now() - Date.parse(again.previousSecret!.lastUsedAt!)).toBeLessThan(60_000);
    expect(Date.now() - Date.parse(again.secretLastUsedAt!)).toBeGreaterThan(3_000_000);
  });

  it.each([-1, 2_592_001])('names the grace that is none: %i', async (graceSeconds) => {
    expect(await reject({ apiKeyId: (await found((await create()).apiKey.id)).id, graceSeconds })).toMatchObject({
      message: expect.stringContaining('graceSeconds') as string,
      extensions: { code: 'BAD_USER_INPUT', field: 'graceSeconds' },
    });
  });

  it.each(['nonsense', '0198f0c0-0000-7000-8000-000000000000'])('does not find %s', async (apiKeyId) => {
    expect(await reject({ apiKeyId })).toMatchObject({ extensions: { code: 'NOT_FOUND', field: 'apiKeyId' } });
  });

  it('is for people who manage keys, and not for keys', async () => {
    const { apiKey } = await create();
    const input = { apiKeyId: apiKey.id };
    expect((await graphql(test, shop.key, ROTATE, { input })).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect((await graphql(test, {}, ROTATE, { input })).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  it('is in the audit log, without a secret', async () => {
    const { secret: old, apiKey } = await create();
    const { secret } = await rotate(apiKey.id, 600);
    const event = await newest(test, shop.user.cookie, 'apiKey.rotate');
    expect(event.resource).toMatchObject({ id: apiKey.id });
    expect(event.changes).toContainEqual({ field: 'prefix', before: old.slice(0, 11), after: secret.slice(0, 11) });
    for (const one of [old, secret]) expect(JSON.stringify(event)).not.toContain(one.slice(12));
  });
});
