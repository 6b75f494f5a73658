import { randomUUID } from 'node:crypto';
import { withClient } from '@aril/local-services';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endOf, monthOf } from '../src/base/month.js';
import { dollars } from '../src/base/usd.js';
import { OverdueService } from '../src/core/generations/overdue.service.js';
import { SettlementService } from '../src/core/settlement/settlement.service.js';
import { generate, sql, startGeneration, tryCancel, tryGenerate } from './generation-fixtures.js';
import { createApiKey, createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { keysOf, limitsOf, postCompletion, setKeyLimits, setLimits } from './limit-fixtures.js';
import { gate, PROMPT_TOKENS, ScriptedRunner, tell, until } from './scripted-runner.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
/** Nano-dollars, as in the catalog of the tests. */
const [PROMPT, COMPLETION] = [20, 60];
/** A prompt of ten tokens, which is exact, and at most ten more. */
const BODY = { model: TEST_MODEL, prompt: Array.from({ length: 10 }, () => 1), max_tokens: 10 };
const WORST = 10 * PROMPT + 10 * COMPLETION;
/** What `tell` costs. */
const ACTUAL = PROMPT_TOKENS * PROMPT + 3 * COMPLETION;

describe('budgets', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Tenant;
  beforeAll(async () => {
    test = await startApp();
    runner = new ScriptedRunner(test);
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
  const budget = async () => (await limitsOf(test, one.key)).budget;
  /** After a generation: `spent` follows its end within moments. */
  const settled = (spent: number) =>
    until(async () => {
      const found = await budget();
      return found.spent === String(spent) && found.reserved === '0' && found;
    });

  it('show what was spent and is reserved, which the actual cost replaces', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await tell(run);
    };
    const running = complete();
    await until(async () => (await budget()).reserved === String(WORST));
    expect(await budget()).toMatchObject({ soft: null, hard: null, spent: '0', resetsAt: endOf(monthOf(new Date())).toISOString() });
    open();
    await running;
    await settled(ACTUAL);
  });

  it('refuse what could exceed them, say by how much, and ask clients not to try again', async () => {
    await setLimits(test, one.user, { budgetHard: String(WORST + ACTUAL) });
    expect((await complete()).status).toBe(200);
    await settled(ACTUAL);
    expect((await complete()).status).toBe(200);
    await settled(2 * ACTUAL);

    const refused = await complete();
    expect([refused.status, refused.headers.get('x-should-retry'), refused.headers.get('retry-after')]).toEqual([429, 'false', null]);
    const { error } = (await refused.json()) as { error: { message: string } };
    expect(error).toMatchObject({ type: 'insufficient_quota', code: 'insufficient_quota', param: null });
    expect(error.message).toBe(
      `The monthly budget of this workspace: this request can cost up to ${dollars(BigInt(WORST))}, and ` +
        `${dollars(BigInt(WORST - ACTUAL))} of ${dollars(BigInt(WORST + ACTUAL))} are left. A smaller max_tokens needs less; ` +
        `the budget begins anew on ${endOf(monthOf(new Date())).toISOString().slice(0, 10)} (UTC).`,
    );
    // As it says.
    expect((await complete({ max_tokens: 3 })).status).toBe(200);
    expect((await tryGenerate(test, one.key, { sampling: { maxTokens: 400 } })).errors?.[0]).toMatchObject({
      message: expect.stringContaining('A smaller sampling.maxTokens needs less'),
      extensions: { code: 'BUDGET_EXCEEDED', reason: 'BUDGET_EXCEEDED', retryable: false },
    });
  });

  it('are told at every endpoint in its own words', async () => {
    await setLimits(test, one.user, { budgetHard: '100', requestsPerMinute: 50 });
    const post = (path: string, body: object): Promise<Response> =>
      fetch(`${test.url}/v1/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...one.key },
        body: JSON.stringify({ model: TEST_MODEL, ...body }),
      });
    const chat = await post('chat/completions', { messages: [{ role: 'user', content: 'Hi' }] });
    expect(await chat.json()).toMatchObject({ error: { code: 'insufficient_quota', message: expect.stringContaining('A smaller max_tokens') } });
    const response = await post('responses', { input: 'Hi', store: false });
    expect(await response.json()).toMatchObject({ error: { code: 'insufficient_quota', message: expect.stringContaining('A smaller max_output_tokens') } });
    await setLimits(test, one.user, { budgetHard: null });
    const answered = await post('responses', { input: 'Hi', store: false, stream: true });
    // What the budget refused took nothing from the rate.
    expect([answered.status, answered.headers.get('x-ratelimit-remaining-requests')]).toEqual([200, '49']);
    await answered.text();
  });

  it('are not asked for again by OpenAI clients once they are used up', async () => {
    await setLimits(test, one.user, { budgetHard: '0' });
    let calls = 0;
    const counted: typeof fetch = (...request) => {
      calls++;
      return fetch(...request);
    };
    const client = new OpenAI({ baseURL: `${test.url}/v1`, apiKey: one.key.authorization.replace('Bearer ', ''), maxRetries: 2, fetch: counted });
    await expect(client.completions.create(BODY)).rejects.toMatchObject({ status: 429, code: 'insufficient_quota' });
    expect(calls).toBe(1);
  });

  it('that only others reserve for now are worth waiting for', async () => {
    await setLimits(test, one.user, { budgetHard: String(WORST + 10) });
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await run.finish('error', { code: 'NUMERIC_ERROR', message: 'x' });
    };
    const running = complete();
    await until(async () => (await budget()).reserved === String(WORST));
    const refused = await complete();
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('x-should-retry')]).toEqual([429, '5', null]);
    expect(await refused.text()).toContain('being reserved for requests that wait or run');
    open();
    // A failure costs nothing and reserves nothing any more.
    expect((await running).status).toBe(500);
    await settled(0);
    runner.script = tell;
    expect((await complete()).status).toBe(200);
  });

  it('of a key bind that key alone; what a key used is shown', async () => {
    const second = await createApiKey(test, one.user, 'second');
    const keys = await keysOf(test, one.user);
    const limited = keys.find(({ name }) => name === 'second');
    await setKeyLimits(test, one.user, { apiKeyId: limited?.id, budgetSoft: '1', budgetHard: String(WORST) });
    expect((await complete({}, {}, second)).status).toBe(200);
    await settled(ACTUAL);
    const refused = await complete({}, {}, second);
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain('The monthly budget of this API key');
    expect((await complete()).status).toBe(200);
    await generate(test, one.user.cookie);
    await settled(3 * ACTUAL);
    const spent = Object.fromEntries((await keysOf(test, one.user)).map(({ name, budget: { spent: amount } }) => [name, amount]));
    expect(spent).toEqual({ second: String(ACTUAL), test: String(ACTUAL) });
  });

  it('release a cancelled generation and one that is overdue', async () => {
    await runner.pause();
    const waiting = await startGeneration(test, one.key);
    expect((await budget()).reserved).not.toBe('0');
    await tryCancel(test, one.key, waiting.id);
    await settled(0);
    const lost = await startGeneration(test, one.key);
    await sql(test, "UPDATE generations SET created_at = now() - interval '1 hour' WHERE id = $1", [lost.id]);
    await test.app.get(OverdueService, { strict: false }).sweep();
    await settled(0);
    await runner.resume();
  });

  it('do not count the retry of an admitted request', async () => {
    await setLimits(test, one.user, { budgetHard: String(WORST) });
    const key = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all(Array.from({ length: 8 }, () => complete({}, key)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    await settled(ACTUAL);
    expect((await complete({}, key)).status).toBe(200);
    expect((await complete()).status).toBe(429);
  });

  it('of a tenant who sends many at once hold nobody else up', async () => {
    const other = await createTenant(test);
    await setLimits(test, one.user, { budgetHard: '1000000000' });
    await complete();
    await withClient(test.ownerUrl, async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${one.id}:admission`]);
      const many = Array.from({ length: 2 * test.config.DATABASE_CONNECTIONS }, () => complete());
      expect((await complete({}, {}, other.key)).status).toBe(200);
      await client.query('COMMIT');
      expect((await Promise.all(many)).every(({ status }) => status === 200)).toBe(true);
    });
  });

  it('are of UTC months, half open', async () => {
    expect(monthOf(new Date('2026-12-31T23:59:59.999Z'))).toBe('2026-12');
    expect(monthOf(new Date('2027-01-01T00:00:00Z'))).toBe('2027-01');
    expect(endOf('2026-12')).toEqual(new Date('2027-01-01T00:00:00Z'));
    const { id } = await generate(test, one.user.cookie);
    await settled(ACTUAL);
    const charge = async (at: string): Promise<void> => {
      const copy = randomUUID();
      await sql(
        test,
        `INSERT INTO generations (id, tenant_id, base_model_id, target, price_id, request_hash, status)
         SELECT $1, tenant_id, base_model_id, target, price_id, 'x', 'SUCCEEDED' FROM generations WHERE id = $2`,
        [copy, id],
      );
      await sql(
        test,
        `INSERT INTO ledger_entries (id, tenant_id, generation_id, base_model_id, target, price_id, prompt_tokens, completion_tokens, amount_nano_usd, at)
         SELECT gen_random_uuid(), tenant_id, id, base_model_id, target, price_id, 1, 0, 1000, $2 FROM generations WHERE id = $1`,
        [copy, at],
      );
    };
    for (const at of ['2025-11-30T23:59:59.999Z', '2025-12-01T00:00:00.000Z', '2025-12-31T23:59:59.999Z']) await charge(at);
    const months = await sql(
      test,
      `SELECT to_char(month, 'YYYY-MM-DD') AS month, spent_nano_usd AS spent FROM monthly_spend WHERE tenant_id = $1 AND month < '2026-01-01' ORDER BY 1`,
      [one.id],
    );
    expect(months).toEqual([{ month: '2025-11-01', spent: '1000' }, { month: '2025-12-01', spent: '2000' }]);
    expect((await budget()).spent).toBe(String(ACTUAL));
  });

  it('charge no month before that of the admission, whatever the clock of a runner says', async () => {
    runner.script = async (run) => {
      await run.tokens('x');
      const settlement = await run.end('stop');
      await run.report({ ...settlement, finishedAtMs: settlement.finishedAtMs - 40 * 86_400_000 });
    };
    await generate(test, one.key);
    await settled(PROMPT_TOKENS * PROMPT + COMPLETION);
  });

  it('charge no month to come, nor keep a text longer, for a runner whose clock runs ahead', async () => {
    runner.script = async (run) => {
      await run.tokens('x');
      const settlement = await run.end('stop');
      await run.report({ ...settlement, finishedAtMs: settlement.finishedAtMs + 400 * 86_400_000 });
    };
    const { id } = await generate(test, one.key);
    await settled(PROMPT_TOKENS * PROMPT + COMPLETION);
    const [row] = await sql<{ timely: boolean; month: boolean }>(
      test,
      `SELECT at <= now() AND finished_at <= now() AS timely, (SELECT month <= now() FROM monthly_spend s WHERE s.tenant_id = l.tenant_id) AS month
       FROM ledger_entries l JOIN generations g ON g.id = l.generation_id WHERE g.id = $1`,
      [id],
    );
    expect(row).toEqual({ timely: true, month: true });
  });

  it('agree with the ledger however often an end is settled', async () => {
    const settlements: Parameters<SettlementService['apply']>[0][] = [];
    runner.script = async (run) => {
      await run.tokens('text', 2);
      settlements.push(await run.end('stop'));
    };
    await startGeneration(test, one.key);
    const [settlement] = await until(() => settlements.length === 1 && settlements);
    const service = test.app.get(SettlementService, { strict: false });
    await Promise.all(Array.from({ length: 10 }, () => service.apply(settlement!)));
    expect(await budget()).toMatchObject({ spent: String(PROMPT_TOKENS * PROMPT + 2 * COMPLETION), reserved: '0' });
  });
});
