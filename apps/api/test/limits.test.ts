import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reasonOf, sql, tryStart } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, type TestApp } from './harness.js';
import { keysOf, limitsOf, setKeyLimits, setLimits, trySetKeyLimits, trySetLimits } from './limit-fixtures.js';
import { join } from './member-fixtures.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
const NONE = { requestsPerMinute: null, tokensPerMinute: null, parallelRequests: null };
const CREATE = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { id limits { requestsPerMinute } budget { hard } } } }';

describe('limits', () => {
  let test: TestApp;
  let one: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    test = await startApp();
    other = await createTenant(test);
  });
  beforeEach(async () => {
    one = await createTenant(test);
  });
  afterAll(() => test.stop());
  const keyOf = async (tenant = one) => (await keysOf(test, tenant.user))[0]!;

  describe('of a tenant', () => {
    it.each([
      ['requestsPerMinute', { requestsPerMinute: 0 }],
      ['tokensPerMinute', { tokensPerMinute: -1 }],
      ['parallelRequests', { parallelRequests: 0 }],
      ['budgetHard', { budgetHard: '-1' }],
      ['budgetHard', { budgetHard: '9000000000000000000' }],
      ['budgetSoft', { budgetSoft: '-1' }],
      ['budgetSoft', { budgetSoft: '11', budgetHard: '10' }],
    ])('refuse what makes no sense, by name: %s', async (field, input) => {
      const { errors } = await trySetLimits(test, one.user.cookie, input);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
      expect(await limitsOf(test, one.key)).toMatchObject({ limits: NONE, budget: { soft: null, hard: null } });
    });

    it('are none to begin with', async () => {
      expect(await limitsOf(test, one.key)).toMatchObject({ limits: NONE, budget: { soft: null, hard: null, spent: '0', reserved: '0' } });
    });

    it('change one by one: what is left out stays, null is none', async () => {
      const first = await setLimits(test, one.user, { requestsPerMinute: 60, budgetSoft: '5000000000', budgetHard: '10000000000' });
      expect(first).toMatchObject({ limits: { ...NONE, requestsPerMinute: 60 }, budget: { soft: '5000000000', hard: '10000000000' } });
      await setLimits(test, one.user, { tokensPerMinute: 1_000, parallelRequests: 4 });
      await setLimits(test, one.user, { requestsPerMinute: null, budgetSoft: null });
      expect(await limitsOf(test, one.key)).toMatchObject({
        limits: { requestsPerMinute: null, tokensPerMinute: 1_000, parallelRequests: 4 },
        budget: { soft: null, hard: '10000000000' },
      });
    });

    it('check a new budget against the one that stays', async () => {
      await setLimits(test, one.user, { budgetHard: '10' });
      expect((await trySetLimits(test, one.user.cookie, { budgetSoft: '11' })).errors?.[0]?.extensions.field).toBe('budgetSoft');
      expect((await trySetLimits(test, one.user.cookie, { budgetSoft: '10' })).errors).toBeUndefined();
    });

    it('changed by many at once lose nothing', async () => {
      const changes = [{ requestsPerMinute: 7 }, { tokensPerMinute: 8 }, { parallelRequests: 9 }, { budgetSoft: '1' }, { budgetHard: '2' }];
      await Promise.all(changes.map((change) => setLimits(test, one.user, change)));
      expect(await limitsOf(test, one.key)).toMatchObject({
        limits: { requestsPerMinute: 7, tokensPerMinute: 8, parallelRequests: 9 },
        budget: { soft: '1', hard: '2' },
      });
    });

    it.each([null, '100000000000'])('hold for every request that is let in after the answer, also for those that came before it (budget %s)', async (before) => {
      await setLimits(test, one.user, { budgetHard: before });
      const admitted = async () => (await sql<{ count: string }>(test, 'SELECT count(*) FROM generations WHERE tenant_id = $1', [one.id]))[0]!.count;
      for (let round = 0; round < 8; round++) {
        const asked = Array.from({ length: 8 }, () => tryStart(test, one.key));
        await sleep(4 * round);
        await setLimits(test, one.user, { budgetHard: '0' });
        const then = await admitted();
        await Promise.all(asked);
        expect(await admitted()).toBe(then);
        await setLimits(test, one.user, { budgetHard: before });
      }
    });

    it('are changed by owners and admins only, and never by keys', async () => {
      expect(reasonOf(await trySetLimits(test, {}, { requestsPerMinute: 1 }))).toBe('UNAUTHENTICATED');
      expect(reasonOf(await trySetLimits(test, one.key, { requestsPerMinute: 1 }))).toBe('FORBIDDEN');
      const [admin, member] = [await join(test, one.user, 'admin'), await join(test, one.user, 'member')];
      expect(reasonOf(await trySetLimits(test, member.cookie, { requestsPerMinute: 1 }))).toBe('FORBIDDEN');
      // To see them is everyone's right.
      expect((await limitsOf(test, member.cookie)).limits).toEqual(NONE);
      expect((await trySetLimits(test, admin.cookie, { requestsPerMinute: 1 })).errors).toBeUndefined();
    });

    it("are no other tenant's", async () => {
      await setLimits(test, one.user, { requestsPerMinute: 5 });
      expect((await limitsOf(test, other.key)).limits).toEqual(NONE);
    });
  });

  describe('of a key', () => {
    it.each([
      ['requestsPerMinute', { requestsPerMinute: 0 }],
      ['budgetSoft', { budgetSoft: '2', budgetHard: '1' }],
    ])('refuse what makes no sense, by name: %s', async (field, input) => {
      const { id } = await keyOf();
      expect((await trySetKeyLimits(test, one.user.cookie, { apiKeyId: id, ...input })).errors?.[0]?.extensions).toMatchObject({ field });
    });

    it('are set, shown with the key, and taken away again', async () => {
      const { id } = await keyOf();
      await setKeyLimits(test, one.user, { apiKeyId: id, requestsPerMinute: 5, budgetHard: '70' });
      expect(await keyOf()).toMatchObject({ limits: { ...NONE, requestsPerMinute: 5 }, budget: { hard: '70', spent: '0' } });
      expect((await limitsOf(test, one.key)).limits).toEqual(NONE);
      const after = await setKeyLimits(test, one.user, { apiKeyId: id, requestsPerMinute: null, budgetHard: null });
      expect(after).toMatchObject({ limits: NONE, budget: { hard: null } });
    });

    it('can be there from its making, or keep it from being made', async () => {
      const create = (limits: object) =>
        graphql<{ createApiKey: { apiKey: object } }>(test, one.user.cookie, CREATE, { input: { name: 'limited', limits } });
      expect((await data(create({ requestsPerMinute: 3, budgetHard: '9' }))).createApiKey.apiKey).toMatchObject({
        limits: { requestsPerMinute: 3 },
        budget: { hard: '9' },
      });
      expect((await create({ requestsPerMinute: 0 })).errors?.[0]?.extensions.field).toBe('limits.requestsPerMinute');
      expect((await create({ budgetSoft: '2', budgetHard: '1' })).errors?.[0]?.extensions.field).toBe('budgetSoft');
      expect(await keysOf(test, one.user)).toHaveLength(2);
    });

    it('are changed by owners and admins only, and never by keys', async () => {
      const input = { apiKeyId: (await keyOf()).id, requestsPerMinute: 1 };
      expect(reasonOf(await trySetKeyLimits(test, {}, input))).toBe('UNAUTHENTICATED');
      expect(reasonOf(await trySetKeyLimits(test, one.key, input))).toBe('FORBIDDEN');
      const [admin, member] = [await join(test, one.user, 'admin'), await join(test, one.user, 'member')];
      expect(reasonOf(await trySetKeyLimits(test, member.cookie, input))).toBe('FORBIDDEN');
      expect((await trySetKeyLimits(test, admin.cookie, input)).errors).toBeUndefined();
    });

    it("are not for other tenants, nor for keys that are not there", async () => {
      const { id } = await keyOf();
      for (const apiKeyId of [id, 'nonsense']) {
        expect(reasonOf(await trySetKeyLimits(test, other.user.cookie, { apiKeyId, requestsPerMinute: 1 }))).toBe('NOT_FOUND');
      }
      await data(graphql(test, one.user.cookie, 'mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKeyId } }', { id }));
      expect(reasonOf(await trySetKeyLimits(test, one.user.cookie, { apiKeyId: id, requestsPerMinute: 1 }))).toBe('NOT_FOUND');
    });
  });
});

describe('the operator', () => {
  let test: TestApp;
  let one: Tenant;
  beforeAll(async () => {
    test = await startApp({
      TENANT_REQUESTS_PER_MINUTE: '2',
      TENANT_REQUESTS_PER_MINUTE_MAX: '100',
      TENANT_PARALLEL_REQUESTS_MAX: '50',
      TENANT_BUDGET_USD: '12.5',
      TENANT_BUDGET_USD_MAX: '20',
    });
    one = await createTenant(test);
  });
  afterAll(() => test.stop());

  it('says what holds for a tenant that has set nothing, and what none can exceed', async () => {
    expect(await limitsOf(test, one.key)).toMatchObject({
      limits: { requestsPerMinute: 2, tokensPerMinute: null, parallelRequests: 50 },
      budget: { soft: null, hard: '12500000000' },
    });
    const query = '{ tenant { limitCeilings { requestsPerMinute tokensPerMinute parallelRequests budgetHard } } }';
    expect(await data(graphql(test, one.key, query))).toEqual({
      tenant: { limitCeilings: { requestsPerMinute: 100, tokensPerMinute: null, parallelRequests: 50, budgetHard: '20000000000' } },
    });
  });

  it.each([
    ['requestsPerMinute', { requestsPerMinute: 101 }],
    ['requestsPerMinute', { requestsPerMinute: null }],
    ['parallelRequests', { parallelRequests: 51 }],
    ['budgetHard', { budgetHard: '20000000001' }],
    ['budgetHard', { budgetHard: null }],
  ])('keeps a tenant from raising itself above it: %s', async (field, input) => {
    const { errors } = await trySetLimits(test, one.user.cookie, input);
    expect(errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field });
    expect(errors?.[0]?.message).toContain('which the operator allows');
  });

  it('lets a tenant set its limits anywhere below', async () => {
    const { limits, budget } = await setLimits(test, one.user, { requestsPerMinute: 100, tokensPerMinute: 5, budgetHard: '20000000000' });
    expect({ limits, budget }).toMatchObject({ limits: { requestsPerMinute: 100, tokensPerMinute: 5 }, budget: { hard: '20000000000' } });
  });
});
