/**
 * The promise of a hard budget: what is spent and what is reserved never exceed it together, whatever happens at once.
 * Two copies of the API admit, a runner ends generations in every way, reports twice and late, callers cancel and repeat
 * themselves; all the while somebody looks.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf, sql, tryCancel } from './generation-fixtures.js';
import { createApiKey, createTenant, graphql, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { keysOf, setKeyLimits, setLimits } from './limit-fixtures.js';
import { ScriptedRunner, until } from './scripted-runner.js';

/** A repeatable source of numbers in [0, 1) (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One snapshot of tenant and key; an end that is being settled is in it once. */
const TOTALS = `
  SELECT (SELECT coalesce(sum(amount_nano_usd), 0) FROM ledger_entries WHERE tenant_id = $1)
       + (SELECT coalesce(sum(reserved_nano_usd), 0) FROM generations WHERE tenant_id = $1 AND status IN ('QUEUED', 'RUNNING')) AS tenant,
         (SELECT coalesce(sum(amount_nano_usd), 0) FROM ledger_entries WHERE tenant_id = $1 AND api_key_id = $2)
       + (SELECT coalesce(sum(reserved_nano_usd), 0) FROM generations WHERE tenant_id = $1 AND api_key_id = $2 AND status IN ('QUEUED', 'RUNNING')) AS key`;

const HARD = 200_000;
const KEY_HARD = 120_000;
const CALLS = 160;

describe.each([1, 2, 3])('a hard budget (seed %i)', (seed) => {
  let test: TestApp;
  let peer: TestApp;
  let runner: ScriptedRunner;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  let limited: { authorization: string };
  let keyId: string;
  const next = random(seed);
  beforeAll(async () => {
    test = await startApp();
    peer = await test.peer();
    tenant = await createTenant(test);
    limited = await createApiKey(test, tenant.user, 'limited');
    keyId = (await keysOf(test, tenant.user)).find(({ name }) => name === 'limited')?.id ?? '';
    await setLimits(test, tenant.user, { budgetHard: String(HARD) });
    await setKeyLimits(test, tenant.user, { apiKeyId: keyId, budgetHard: String(KEY_HARD) });
    runner = new ScriptedRunner(test);
  });
  afterAll(async () => {
    await runner.close();
    await peer.stop();
    await test.stop();
  });

  /** Uses all that was asked for, half of it or nothing, and says so more often than once. */
  function behave(): void {
    runner.script = async (run) => {
      const { sampling, n } = run.job;
      const how = next();
      await new Promise((resolve) => setTimeout(resolve, 40 * next()));
      if (how < 0.15) return void (await run.finish('error', { code: 'NUMERIC_ERROR', message: 'x' }));
      const length = Math.ceil(sampling.maxTokens * (how < 0.6 ? 1 : 0.5));
      for (let choice = 0; choice < n; choice++) await run.tokens('t', length, choice);
      for (let choice = 0; choice < n - 1; choice++) await run.endChoice(choice, 'length');
      const settlement = await run.finish('length');
      if (how > 0.8) await run.report(settlement);
      if (how > 0.9) await runner.settle({ ...settlement, completionTokens: 1 }, randomUUID());
    };
  }

  async function call(): Promise<string | null> {
    const app = next() < 0.5 ? test : peer;
    const key = next() < 0.6 ? limited : tenant.key;
    const input = {
      target: TEST_MODEL,
      prompt: 'x'.repeat(1 + Math.floor(80 * next())),
      n: 1 + Math.floor(2 * next()),
      sampling: { maxTokens: 1 + Math.floor(60 * next()) },
      idempotencyKey: randomUUID(),
    };
    const cancels = next() < 0.15;
    const repeats = next() < 0.3;
    const start = () =>
      graphql<{ startGeneration: { generation: { id: string } } }>(
        app,
        key,
        'mutation ($input: GenerateInput!) { startGeneration(input: $input) { generation { id } } }',
        { input },
      );
    const answers = await Promise.all([start(), ...(repeats ? [start(), start()] : [])]);
    const ids = new Set(answers.flatMap(({ data }) => (data ? [data.startGeneration.generation.id] : [])));
    expect(ids.size).toBeLessThanOrEqual(1);
    for (const id of cancels ? ids : []) await tryCancel(app, key, id);
    return ids.size === 1 ? null : reasonOf(answers[0]!);
  }

  it('is never exceeded, and in the end nothing is reserved', async () => {
    behave();
    const watcher = new pg.Client({ connectionString: test.ownerUrl });
    await watcher.connect();
    let over = true;
    const highest = { tenant: 0, key: 0, looks: 0 };
    const watching = (async () => {
      while (over) {
        const { rows } = await watcher.query<{ tenant: string; key: string }>(TOTALS, [tenant.id, keyId]);
        highest.tenant = Math.max(highest.tenant, Number(rows[0]?.tenant));
        highest.key = Math.max(highest.key, Number(rows[0]?.key));
        highest.looks++;
      }
    })();
    const refusals: string[] = [];
    for (let wave = 0; wave < 4; wave++) {
      const answers = await Promise.all(Array.from({ length: CALLS / 4 }, call));
      refusals.push(...answers.filter((reason) => reason !== null));
    }
    const openRows = () => sql<{ count: string }>(test, "SELECT count(*) FROM generations WHERE tenant_id = $1 AND status IN ('QUEUED', 'RUNNING')", [tenant.id]);
    await until(async () => (await openRows())[0]?.count === '0');
    over = false;
    await watching;
    await watcher.end();

    expect(highest.looks).toBeGreaterThan(50);
    expect(highest.tenant).toBeLessThanOrEqual(HARD);
    expect(highest.key).toBeLessThanOrEqual(KEY_HARD);
    // Otherwise nothing was put to the test.
    expect(highest.tenant).toBeGreaterThan(HARD * 0.9);
    expect(refusals.length).toBeGreaterThan(0);
    expect(new Set(refusals)).toEqual(new Set(refusals.filter((reason) => ['BUDGET_EXCEEDED', 'RATE_LIMITED'].includes(reason))));

    const [spend] = await sql<{ spend: string; ledger: string }>(
      test,
      `SELECT (SELECT sum(spent_nano_usd) FROM monthly_spend WHERE tenant_id = $1)::text AS spend,
              (SELECT sum(amount_nano_usd) FROM ledger_entries WHERE tenant_id = $1)::text AS ledger`,
      [tenant.id],
    );
    expect(spend?.spend).toBe(spend?.ledger);
    const twice = await sql(test, 'SELECT generation_id FROM ledger_entries WHERE tenant_id = $1 GROUP BY 1 HAVING count(*) > 1', [tenant.id]);
    expect(twice).toEqual([]);
    const beyond = await sql(
      test,
      'SELECT g.id FROM generations g JOIN ledger_entries l ON l.generation_id = g.id WHERE l.amount_nano_usd > g.reserved_nano_usd',
    );
    expect(beyond).toEqual([]);
  });
});
