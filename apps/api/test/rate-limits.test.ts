import { randomUUID } from 'node:crypto';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { duration } from '../src/core/openai/rate-headers.js';
import { generate, reasonOf, sql, startGeneration, tryGenerate } from './generation-fixtures.js';
import { createApiKey, createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { keysOf, limitsOf, postCompletion, setKeyLimits, setLimits } from './limit-fixtures.js';
import { gate, PROMPT_TOKENS, ScriptedRunner, tell, until } from './scripted-runner.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
/** `tell` gives three tokens. */
const USED = PROMPT_TOKENS + 3;
/** A prompt of ten tokens, which is exact, and at most thirty more. */
const BODY = { model: TEST_MODEL, prompt: Array.from({ length: 10 }, () => 1), max_tokens: 30 };
const WORST = 40;

describe('rates', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    test = await startApp();
    runner = new ScriptedRunner(test);
    other = await createTenant(test);
  });
  beforeEach(async () => {
    one = await createTenant(test);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const complete = (body: object = {}, headers: Record<string, string> = {}, key = one.key): Promise<Response> =>
    postCompletion(test, key, { ...BODY, ...body }, headers);
  const rate = (response: Response, what: string): string | null => response.headers.get(`x-ratelimit-${what}`);
  const remaining = async (unit: 'requests' | 'tokens', key = one.key): Promise<number> => {
    const response = await complete({}, {}, key);
    await response.text();
    return Number(rate(response, `remaining-${unit}`));
  };
  const rowsOf = (tenant: Tenant) => sql<{ count: string }>(test, 'SELECT count(*) FROM generations WHERE tenant_id = $1', [tenant.id]);

  it('are not told where there are none', async () => {
    const response = await complete();
    expect([...response.headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
  });

  it('tell what is left, whole and streamed, and refuse the next with the time to wait', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 3 });
    const whole = await complete();
    expect([whole.status, rate(whole, 'limit-requests'), rate(whole, 'remaining-requests')]).toEqual([200, '3', '2']);
    expect(rate(whole, 'reset-requests')).toMatch(/^(20|19\.\d+)s$/);
    expect(rate(whole, 'limit-tokens')).toBeNull();
    const streamed = await complete({ stream: true });
    expect(rate(streamed, 'remaining-requests')).toBe('1');
    expect(await streamed.text()).toContain('[DONE]');
    await complete();

    const refused = await complete();
    expect(refused.status).toBe(429);
    expect(rate(refused, 'remaining-requests')).toBe('0');
    expect(refused.headers.get('x-should-retry')).toBeNull();
    const { error } = (await refused.json()) as { error: { message: string; code: string; type: string } };
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'rate_limit_error' });
    expect(error.message).toMatch(/^Rate limit reached for requests per minute of this workspace: limit 3\. Try again in \d+\.\d s\.$/);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    // One of three comes back every twenty seconds; nobody waits for a minute to end.
    expect(seconds).toBeLessThanOrEqual(20);
    expect(Number(refused.headers.get('retry-after-ms'))).toBeLessThanOrEqual(20_000);
  });

  it('come back evenly: a client that waits as long as it was told gets through', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 120 });
    await Promise.all(Array.from({ length: 120 }, () => startGeneration(test, one.key)));
    const client = new OpenAI({ baseURL: `${test.url}/v1`, apiKey: one.key.authorization.replace('Bearer ', ''), maxRetries: 2 });
    // Its retry waits for `retry-after-ms`.
    expect((await client.completions.create(BODY)).choices).toHaveLength(1);
  });

  it('hold exactly when many ask at once, of two copies of the API', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 10 });
    const peer = await test.peer();
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => tryGenerate(i % 2 ? test : peer, one.key)));
    await peer.stop();
    expect(answers.filter(({ errors }) => !errors)).toHaveLength(10);
    const refused = answers.find(({ errors }) => errors)?.errors?.[0]?.extensions as Record<string, unknown>;
    expect(refused).toMatchObject({ code: 'RATE_LIMITED', reason: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) });
    expect(await rowsOf(one)).toEqual([{ count: '10' }]);
  });

  it('are each tenant its own', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 1 });
    expect((await complete()).status).toBe(200);
    expect((await complete()).status).toBe(429);
    expect((await complete({}, {}, other.key)).status).toBe(200);
  });

  it('of a key are held beside those of the tenant, and a new key does not start the tenant anew', async () => {
    const [key] = await keysOf(test, one.user);
    await setLimits(test, one.user, { requestsPerMinute: 4 });
    await setKeyLimits(test, one.user, { apiKeyId: key?.id, requestsPerMinute: 2 });
    const second = await createApiKey(test, one.user, 'second');
    expect(rate(await complete(), 'limit-requests')).toBe('2');
    await complete();
    const refused = await complete();
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain('of this API key: limit 2');
    // What the key was refused, the tenant was not charged for.
    expect(rate(await complete({}, {}, second), 'remaining-requests')).toBe('1');
    expect((await complete({}, {}, second)).status).toBe(200);
    expect((await complete({}, {}, second)).status).toBe(429);
  });

  it('count tokens by their worst case, and give back what was not used', async () => {
    await setLimits(test, one.user, { tokensPerMinute: 6_000 });
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await tell(run);
    };
    const held = complete();
    await until(() => runner.jobs.some(({ tenantId }) => tenantId === one.id));
    const second = complete();
    await until(async () => (await rowsOf(one))[0]?.count === '2');
    open();
    expect(Number(rate(await held, 'remaining-tokens'))).toBe(6_000 - WORST);
    expect(6_000 - Number(rate(await second, 'remaining-tokens'))).toBeGreaterThan(WORST + 10);
    // Both have used ten of their forty, and a hundred leak away every second.
    await until(async () => (await remaining('tokens')) >= 6_000 - WORST - 2 * USED);
  });

  it('give all tokens back when the answer is an error', async () => {
    await setLimits(test, one.user, { tokensPerMinute: 100 });
    runner.script = async (run) => void (await run.finish('error', { code: 'NUMERIC_ERROR', message: 'x' }));
    // Nothing of forty tokens could be taken five times from a hundred.
    for (let i = 0; i < 5; i++) {
      await until(async () => (await complete()).status === 500);
    }
  });

  it('let in what is larger than a minute has, alone', async () => {
    await setLimits(test, one.user, { tokensPerMinute: 20 });
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('many', 30);
      await opened;
      await run.finish('length');
    };
    const first = complete();
    await until(() => runner.jobs.some(({ tenantId }) => tenantId === one.id));
    expect((await complete()).status).toBe(429);
    open();
    expect((await first).status).toBe(200);
    // It has used 37 of 20, so the next has to wait for more than the minute that the bucket holds.
    const wait = await until(async () => {
      const seconds = Number((await complete()).headers.get('retry-after'));
      return seconds > 60 && seconds;
    });
    expect(wait).toBeLessThanOrEqual(112);
  });

  it('count requests that wait or run, exactly and without a trace of refused ones', async () => {
    const [key] = await keysOf(test, one.user);
    await setKeyLimits(test, one.user, { apiKeyId: key?.id, parallelRequests: 3, requestsPerMinute: 100 });
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await tell(run);
    };
    const answers = Promise.all(Array.from({ length: 20 }, () => complete().then(async (response) => ({ response, body: await response.text() }))));
    await until(async () => (await rowsOf(one))[0]?.count === '3');
    const refused = await complete();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.text()).toContain('3 requests of this API key wait or run, expected at most 3 at once');
    open();
    const statuses = (await answers).map(({ response }) => response.status);
    expect([statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 429).length]).toEqual([3, 17]);
    await until(async () => (await complete()).status === 200);
    expect(await remaining('requests')).toBeGreaterThanOrEqual(95);
  });

  it('do not count the retry of an admitted request, one at a time or all at once', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 2, parallelRequests: 1 });
    const key = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => complete({}, key)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(await rowsOf(one)).toEqual([{ count: '1' }]);
    expect((await complete({}, key)).status).toBe(200);
    await until(async () => (await complete()).status === 200);
    expect((await complete()).status).toBe(429);
  });

  it('of a list of prompts that is refused in the middle are given back', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 4, tokensPerMinute: 100_000 });
    const list = (length: number): object => ({ prompt: Array.from({ length }, () => [1, 2, 3]) });
    expect((await complete(list(5))).status).toBe(429);
    await until(async () => (await complete(list(4))).status === 200);
    await until(async () => (await sql(test, 'SELECT 1 FROM ledger_entries WHERE tenant_id = $1', [one.id])).length === 4);
  });

  it.each([
    ['limit', {}, [1, 2, 3], 429],
    ['limit, which will be asked for again', { 'idempotency-key': 'list' }, [1, 2, 3], 429],
    ['prompt', {}, Array.from({ length: 600 }, () => 1), 400],
    ['prompt, which will be asked for again', { 'idempotency-key': 'long' }, Array.from({ length: 600 }, () => 1), 400],
  ])('of a list that is refused for a %s have nothing to count: no row, no entry, nothing reserved', async (_, headers, last, status) => {
    await setLimits(test, one.user, { parallelRequests: 2, requestsPerMinute: 100, tokensPerMinute: 100_000, budgetHard: '1000000' });
    const prompt = [[1, 2, 3], ...(status === 429 ? [[1, 2, 3]] : []), last];
    expect((await complete({ prompt }, headers)).status).toBe(status);
    expect(await rowsOf(one)).toEqual([{ count: '0' }]);
    expect(await sql(test, 'SELECT 1 FROM ledger_entries WHERE tenant_id = $1', [one.id])).toEqual([]);
    expect((await limitsOf(test, one.key)).budget.reserved).toBe('0');
    const answer = await complete({ prompt: [[1, 2, 3], [1, 2, 3]] }, headers);
    expect([answer.status, rate(answer, 'remaining-requests')]).toEqual([200, '98']);
  });

  it('leaves an earlier try of the same list what it has', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await tell(run);
    };
    await setLimits(test, one.user, { parallelRequests: 2 });
    const twice = { prompt: [[1, 2, 3], [1, 2, 3]] };
    const first = complete(twice, { 'idempotency-key': 'list' });
    await until(async () => (await rowsOf(one))[0]?.count === '2');
    expect((await complete({ prompt: [...twice.prompt, [1, 2, 3]] }, { 'idempotency-key': 'list' })).status).toBe(429);
    open();
    expect((await first).status).toBe(200);
    expect(await rowsOf(one)).toEqual([{ count: '2' }]);
  });

  it('take a changed limit at once, and keep how much of it is used', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 2 });
    await complete();
    await complete();
    expect((await complete()).status).toBe(429);
    await setLimits(test, one.user, { requestsPerMinute: 1_000 });
    await until(async () => (await complete()).status === 200);
    await setLimits(test, one.user, { requestsPerMinute: null });
    expect(rate(await complete(), 'limit-requests')).toBeNull();
  });

  it('refuse for now while Redis hangs, before anything is written', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 100 });
    await runner.redis.call('CLIENT', 'PAUSE', '3000', 'WRITE');
    const answer = await tryGenerate(test, one.key);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'OVERLOADED', retryable: true });
    expect(await rowsOf(one)).toEqual([{ count: '0' }]);
    await until(async () => (await complete()).status === 200);
  });

  it('survive a restart of the API', async () => {
    await setLimits(test, one.user, { requestsPerMinute: 1 });
    await generate(test, one.key);
    await test.restart();
    expect(reasonOf(await tryGenerate(test, one.key))).toBe('RATE_LIMITED');
  });
});

describe('a duration', () => {
  it.each([
    [0, '0ms'],
    [120, '120ms'],
    [1_000, '1s'],
    [1_250, '1.25s'],
    [60_000, '1m0s'],
    [61_500, '1m1.5s'],
  ])('of %i ms is written as OpenAI writes it', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
