import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { generate, reasonOf, sql } from './generation-fixtures.js';
import { createTenant, type Credentials, data, graphql, type GraphqlAnswer, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { CACHED_TOKENS, PROMPT_TOKENS, ScriptedRunner, tell } from './scripted-runner.js';

interface UsageRow {
  day: string;
  baseModelId: string;
  adapterId: string | null;
  target: string;
  requests: number;
  failedRequests: number;
  promptTokens: number;
  completionTokens: number;
  amount: string;
}
interface Report {
  tenant: { usage: { from: string; to: string; rows: UsageRow[]; totals: Omit<UsageRow, 'day'> } };
}

const QUERY = `query ($input: UsageInput!) { tenant { usage(input: $input) {
  from to
  rows { day baseModelId adapterId target requests failedRequests promptTokens completionTokens amount }
  totals { requests promptTokens completionTokens amount }
} } }`;

describe('usage', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  let adapterId: string;
  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    adapterId = (await bringAdapter(test, one.key, 'tales', fixture('a'))).id;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const tryUsage = (credentials: Credentials, input: Record<string, unknown>): Promise<GraphqlAnswer<Report>> =>
    graphql<Report>(test, credentials, QUERY, { input });
  const usage = async (credentials: Credentials, input: Record<string, unknown>) => (await data(tryUsage(credentials, input))).tenant.usage;
  const today = (): { from: string; to: string } => {
    const from = new Date(new Date().setUTCHours(0, 0, 0, 0));
    return { from: from.toISOString(), to: new Date(from.getTime() + 86_400_000).toISOString() };
  };

  it('appears by target as generations end, and sums up', async () => {
    await generate(test, one.key);
    await generate(test, one.key, { target: 'tales' });
    await generate(test, one.key, { target: 'tales' });
    runner.script = async (run) => void (await run.finish('error', { code: 'NUMERIC_ERROR', message: 'x' }));
    await generate(test, one.key, { target: 'tales' });
    runner.script = tell;
    await generate(test, other.key);

    const { rows, totals } = await usage(one.user.cookie, today());
    const each = PROMPT_TOKENS * 20 + 3 * 60;
    const common = { day: today().from.slice(0, 10), baseModelId: TEST_MODEL };
    expect(rows).toEqual([
      { ...common, adapterId: null, target: TEST_MODEL, requests: 1, failedRequests: 0, promptTokens: PROMPT_TOKENS, completionTokens: 3, amount: String(each) },
      { ...common, adapterId, target: 'tales', requests: 3, failedRequests: 1, promptTokens: 2 * PROMPT_TOKENS, completionTokens: 6, amount: String(2 * each) },
    ]);
    expect(totals).toEqual({ requests: 4, promptTokens: 3 * PROMPT_TOKENS, completionTokens: 9, amount: String(3 * each) });
  });

  it('can be asked for one adapter', async () => {
    const { rows, totals } = await usage(one.key, { ...today(), adapterId });
    expect(rows.map(({ target }) => target)).toEqual(['tales']);
    expect(totals.requests).toBe(3);
  });

  it("shows a tenant its own only, also when asked for another's adapter", async () => {
    expect((await usage(other.key, today())).totals.requests).toBe(1);
    expect((await usage(other.key, { ...today(), adapterId })).rows).toEqual([]);
  });

  it('counts days in UTC, `from` inclusive and `to` exclusive, and sums beyond what a number can hold', async () => {
    const [generation] = await sql<{ base_model_id: string; price_id: string }>(test, 'SELECT * FROM generations WHERE tenant_id = $1', [other.id]);
    const insert = async (at: string, amount: bigint): Promise<void> => {
      const [row] = await sql<{ id: string }>(
        test,
        `INSERT INTO generations (id, tenant_id, base_model_id, target, price_id, request_hash, status, created_at, finished_at)
         VALUES ($1, $2, $3, $3, $4, 'x', 'SUCCEEDED', $5, $5) RETURNING id`,
        [randomUUID(), other.id, generation?.base_model_id, generation?.price_id, at],
      );
      await sql(
        test,
        `INSERT INTO ledger_entries (id, tenant_id, generation_id, base_model_id, target, price_id, prompt_tokens, completion_tokens, amount_nano_usd, at)
         VALUES ($1, $2, $3, $4, $4, $5, 2000000000, 1, $6, $7)`,
        [randomUUID(), other.id, row?.id, generation?.base_model_id, generation?.price_id, amount, at],
      );
    };
    const large = 9_007_199_254_740_993n;
    await insert('2026-01-01T23:59:59.999Z', large);
    await insert('2026-01-02T00:00:00.000Z', large);
    await insert('2026-01-02T23:59:59.999Z', large);
    await insert('2026-01-03T00:00:00.000Z', large);
    const { rows, totals } = await usage(other.key, { from: '2026-01-01T00:00:00Z', to: '2026-01-03T00:00:00Z' });
    expect(rows.map(({ day, requests, amount }) => [day, requests, amount])).toEqual([
      ['2026-01-02', 2, String(2n * large)],
      ['2026-01-01', 1, String(large)],
    ]);
    expect(totals).toMatchObject({ requests: 3, promptTokens: 6_000_000_000, amount: String(3n * large) });
  });

  describe('in groups of choice', () => {
    interface Group extends Omit<UsageRow, 'day' | 'baseModelId' | 'target'> {
      day: string | null;
      baseModelId: string | null;
      target: string | null;
      apiKeyId: string | null;
      apiKeyName: string | null;
      cachedTokens: number;
    }
    const groups = async (groupBy: string[] | undefined, credentials = one.key): Promise<Group[]> => {
      const fields = 'day baseModelId adapterId target apiKeyId apiKeyName requests failedRequests promptTokens cachedTokens completionTokens amount';
      const query = `query ($input: UsageInput!) { tenant { usage(input: $input) { groups { ${fields} } rows { day target } totals { requests cachedTokens } } } }`;
      const answer = await data(graphql<{ tenant: { usage: { groups: Group[]; rows: object[]; totals: object } } }>(test, credentials, query, { input: { ...today(), groupBy } }));
      // Whatever the groups: today's clients see what they always saw, and the sums are of everything.
      expect(answer.tenant.usage).toMatchObject({ rows: [{ target: TEST_MODEL }, { target: 'tales' }], totals: { requests: 4, cachedTokens: 3 * CACHED_TOKENS } });
      return answer.tenant.usage.groups;
    };
    const none = { day: null, baseModelId: null, adapterId: null, target: null, apiKeyId: null, apiKeyName: null };
    const sums = { requests: 4, failedRequests: 1, promptTokens: 3 * PROMPT_TOKENS, cachedTokens: 3 * CACHED_TOKENS, completionTokens: 9, amount: String(3 * (PROMPT_TOKENS * 20 + 3 * 60)) };

    it('sums up by each dimension alone', async () => {
      const [{ apiKeyId } = { apiKeyId: null }] = await groups(['API_KEY']);
      expect(apiKeyId).toMatch(/^[0-9a-f-]{36}$/);
      expect(await groups(['API_KEY'])).toEqual([{ ...none, ...sums, apiKeyId, apiKeyName: 'test' }]);
      expect(await groups(['BASE_MODEL'])).toEqual([{ ...none, ...sums, baseModelId: TEST_MODEL }]);
      expect(await groups(['DAY'])).toEqual([{ ...none, ...sums, day: today().from.slice(0, 10) }]);
      expect((await groups(['TARGET'])).map(({ target, adapterId: id, requests }) => [target, id, requests])).toEqual([[TEST_MODEL, null, 1], ['tales', adapterId, 3]]);
    });

    it('and by several together, day and target unless said otherwise', async () => {
      const all = await groups(['API_KEY', 'DAY', 'TARGET', 'BASE_MODEL']);
      expect(all).toMatchObject([{ target: TEST_MODEL, apiKeyName: 'test' }, { target: 'tales', apiKeyName: 'test' }]);
      expect(await groups(undefined)).toEqual(all.map((group) => ({ ...group, apiKeyId: null, apiKeyName: null })));
    });
  });

  it('is empty where nothing was used', async () => {
    const { rows, totals } = await usage(one.key, { from: '2020-01-01T00:00:00Z', to: '2020-12-31T00:00:00Z' });
    expect({ rows, totals }).toEqual({ rows: [], totals: { requests: 0, promptTokens: 0, completionTokens: 0, amount: '0' } });
  });

  it.each([
    ['an empty range', { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    ['a range backwards', { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    ['more than 366 days', { from: '2025-01-01T00:00:00Z', to: '2026-01-02T00:00:01Z' }, 'to'],
    ['no group at all', { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', groupBy: [] }, 'groupBy'],
    ['an id that is none', { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', adapterId: 'x' }, 'adapterId'],
  ])('refuses %s', async (_, input, field) => {
    expect((await tryUsage(one.key, input)).errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field });
  });

  it('needs credentials', async () => {
    expect(reasonOf(await tryUsage({}, today()))).toBe('UNAUTHENTICATED');
  });
});
