import { randomUUID } from 'node:crypto';
import { JOB_SETTLE_GENERATION, SETTLEMENT_QUEUE, settlementJobId, type Settlement } from '@aril/contracts';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WORKER_OPTIONS } from '../src/base/redis/worker-options.js';
import { chargeFor } from '../src/core/settlement/settlement-charge.js';
import { SettlementService } from '../src/core/settlement/settlement.service.js';
import { find, generate, ledgerOf, sql, startGeneration } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { PROMPT_TOKENS, ScriptedRunner, tell, until } from './scripted-runner.js';

describe('the charge', () => {
  const price = { promptNanoUsdPerToken: 20n, completionNanoUsdPerToken: 9_007_199_254_740_993n };
  const charge = (finishReason: Settlement['finishReason'], completionTokens: number) =>
    chargeFor({ finishReason, promptTokens: 5, cachedTokens: 2, completionTokens }, price);

  it.each(['stop', 'length', 'cancelled'] as const)('of %s is tokens times price, exactly', (reason) => {
    expect(charge(reason, 3)).toEqual({ promptTokens: 5, cachedTokens: 2, completionTokens: 3, amountNanoUsd: 27_021_597_764_223_079n });
  });
  it('covers the prompt of a generation that stopped at once', () => {
    expect(charge('stop', 0).amountNanoUsd).toBe(100n);
  });
  it('is nothing when cancelled before the first token', () => {
    expect(charge('cancelled', 0)).toEqual({ promptTokens: 0, cachedTokens: 0, completionTokens: 0, amountNanoUsd: 0n });
  });
  it('is nothing after an error', () => {
    expect(charge('error', 3).amountNanoUsd).toBe(0n);
  });
});

describe('settlement', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  /** A generation whose runner has ended it and not reported it. */
  async function unreported(): Promise<Settlement> {
    let settlement: Settlement | null = null;
    runner.script = async (run) => {
      await run.tokens('text', 4);
      settlement = await run.end('stop');
    };
    await startGeneration(test, one.key);
    return until(() => settlement);
  }

  const ended = (id: string, waitMs?: number) =>
    until(async () => {
      const generation = await find(test, one.key, id);
      return generation.finishedAt !== null && generation;
    }, waitMs);

  it('delivered many times at once bills once', async () => {
    const settlement = await unreported();
    const service = test.app.get(SettlementService, { strict: false });
    const direct = Promise.all(Array.from({ length: 20 }, () => service.apply(settlement)));
    const queued = Promise.all(Array.from({ length: 20 }, (_, index) => runner.settle(settlement, `duplicate-${index}-${randomUUID()}`)));
    const results = await direct;
    await queued;
    await until(idle);
    expect(results.filter((result) => result === 'applied').length).toBeLessThanOrEqual(1);
    expect(await ledgerOf(test, settlement.generationId)).toMatchObject([{ prompt_tokens: PROMPT_TOKENS, completion_tokens: 4 }]);
    expect(await runner.settlements.getFailedCount()).toBe(0);
  });

  async function idle(): Promise<boolean> {
    const counts = await runner.settlements.getJobCounts('waiting', 'active', 'delayed');
    return Object.values(counts).every((count) => count === 0);
  }

  it('that comes late with another end changes nothing', async () => {
    const settlement = await unreported();
    await runner.settle(settlement);
    const before = await ended(settlement.generationId);
    await runner.settle({ ...settlement, finishReason: 'error', text: 'other', completionTokens: 99, error: { code: 'INTERNAL', message: 'x' } }, randomUUID());
    await until(idle);
    expect(await find(test, one.key, settlement.generationId)).toEqual(before);
    expect(await ledgerOf(test, settlement.generationId)).toHaveLength(1);
  });

  it("cannot end another tenant's generation", async () => {
    const settlement = await unreported();
    const jobId = randomUUID();
    await runner.settle({ ...settlement, tenantId: other.id }, jobId);
    await until(async () => (await runner.settlements.getJobState(jobId)) === 'failed');
    expect((await find(test, one.key, settlement.generationId)).finishedAt).toBeNull();
    expect(await ledgerOf(test, settlement.generationId)).toEqual([]);
    await runner.settle(settlement);
    await ended(settlement.generationId);
  });

  it('that is malformed is kept apart, and the others go on', async () => {
    const settlement = await unreported();
    const broken: [string, unknown][] = [
      ['no object', 'nonsense'],
      ['negative', { ...settlement, completionTokens: -1 }],
      ['unknown code', { ...settlement, error: { code: 'NO_SUCH_CODE', message: '' } }],
      ['unknown version', { ...settlement, version: 2 }],
    ];
    const ids = broken.map(() => randomUUID());
    for (const [index, [, payload]] of broken.entries()) {
      await runner.settlements.add(JOB_SETTLE_GENERATION, payload, { jobId: ids[index] as string, attempts: 5 });
    }
    await runner.settle(settlement);
    expect((await ended(settlement.generationId)).text).toBe('text');
    for (const id of ids) await until(async () => (await runner.settlements.getJobState(id)) === 'failed');
    const failed = await runner.settlements.getJob(ids[1] as string);
    expect(failed?.failedReason).toContain('completionTokens');
    expect(failed?.failedReason).not.toContain('text"');
  });

  it('waits for the database, whatever number of attempts the runner allowed', async () => {
    const settlement = await unreported();
    // The database refuses the ledger row, and takes it a little later.
    await sql(test, 'ALTER TABLE ledger_entries RENAME TO ledger_entries_away');
    await runner.settle(settlement);
    const jobId = settlementJobId(settlement.generationId);
    await until(async () => (await runner.settlements.getJobState(jobId)) === 'delayed');
    expect((await find(test, one.key, settlement.generationId).catch(() => null))?.finishedAt ?? null).toBeNull();
    await sql(test, 'ALTER TABLE ledger_entries_away RENAME TO ledger_entries');
    expect((await ended(settlement.generationId)).amount).not.toBeNull();
    expect(await ledgerOf(test, settlement.generationId)).toHaveLength(1);
  });

  it('added while no API runs is applied when one does', async () => {
    const settlement = await unreported();
    await test.app.close();
    await runner.settle(settlement);
    await test.restart();
    expect((await ended(settlement.generationId)).text).toBe('text');
    expect(await ledgerOf(test, settlement.generationId)).toHaveLength(1);
  });

  it('taken by an API that died with it is applied by another, long before its callers give up', async () => {
    const settlement = await unreported();
    await test.app.close();
    await runner.settle(settlement);
    const connection = new Redis(test.config.REDIS_URL, { maxRetriesPerRequest: null });
    const dead = new Worker(SETTLEMENT_QUEUE, null, { ...WORKER_OPTIONS, connection });
    expect(await dead.getNextJob('token of the dead')).toMatchObject({ id: settlementJobId(settlement.generationId) });
    await dead.close(true);
    connection.disconnect();
    await test.restart();
    const takenUpWithinMs = WORKER_OPTIONS.lockDuration + 2 * WORKER_OPTIONS.stalledInterval;
    expect((await ended(settlement.generationId, takenUpWithinMs + 4_000)).text).toBe('text');
    expect(await ledgerOf(test, settlement.generationId)).toHaveLength(1);
  });

  it("leaves no output behind in Redis's queues", async () => {
    runner.script = async (run) => {
      await run.tokens('a memorable output');
      await run.finish('stop');
    };
    const { id } = await generate(test, one.key, { prompt: 'a memorable prompt' });
    await until(async () => (await runner.settlements.getJob(settlementJobId(id))) === undefined);
    await until(async () => (await runner.generations.getJob(id)) === undefined);
  });
});
