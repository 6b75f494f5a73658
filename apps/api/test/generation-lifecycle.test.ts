/** Retries, cancellations, deadlines and losses: the ways in which a generation does not just run and end. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  generationCancelKey,
  generationFenceKey,
  generationRunKey,
  generationStreamKey,
  QUEUE_PREFIX,
  type Settlement,
} from '@aril/contracts';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RESTORED_WITHIN_MS } from '../src/base/redis/redis-memory.js';
import { RedisService } from '../src/base/redis/redis.service.js';
import { GenerationQueue } from '../src/core/generations/generation-queue.js';
import { StatementWorker } from '../src/core/billing/statement.worker.js';
import { HousekeepingWorker } from '../src/core/generations/housekeeping.worker.js';
import { LOST_AFTER_MS, OverdueService } from '../src/core/generations/overdue.service.js';
import { TextRetentionService } from '../src/core/generations/text-retention.service.js';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { tryDelete } from './deployment-fixtures.js';
import {
  find,
  generate,
  type GenerationAnswer,
  ledgerOf,
  reasonOf,
  sql,
  startGeneration,
  tryCancel,
  tryGenerate,
} from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { gate, PROMPT_TOKENS, ScriptedRunner, tell, until } from './scripted-runner.js';

const TIMEOUT_S = 600;

describe('the life of a generation', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  let overdue: OverdueService;
  beforeAll(async () => {
    test = await startApp({ GENERATION_TIMEOUT_S: String(TIMEOUT_S) });
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    overdue = test.app.get(OverdueService, { strict: false });
  });
  afterEach(async () => {
    runner.script = tell;
    await runner.resume();
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const ended = (id: string, credentials = one.key): Promise<GenerationAnswer> =>
    until(async () => {
      const generation = await find(test, credentials, id);
      return generation.finishedAt !== null && generation;
    });

  describe('an idempotency key', () => {
    it('makes retries one generation, however they overlap, billed once', async () => {
      const before = runner.jobs.length;
      const ask = () => generate(test, one.key, { idempotencyKey: 'k1', sampling: { temperature: 0.5 } });
      const answers = [...(await Promise.all(Array.from({ length: 12 }, ask))), await ask()];
      expect(new Set(answers.map(({ id, text }) => `${id} ${text}`)).size).toBe(1);
      expect(runner.jobs.length).toBe(before + 1);
      expect(await ledgerOf(test, answers[0]?.id ?? '')).toHaveLength(1);
    });

    it.each([{ prompt: 'another' }, { sampling: { temperature: 0.6 } }, { n: 2 }, { logprobs: 0 }, { constraint: { json: true } }, { sampling: { seed: 1 } }, { target: 'k2-adapter' }])(
      'refuses another input: %j',
      async (change) => {
        await generate(test, one.key, { idempotencyKey: 'k2', sampling: { temperature: 0.5 } });
        const answer = await tryGenerate(test, one.key, { idempotencyKey: 'k2', sampling: { temperature: 0.5 }, ...change });
        expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', reason: 'IDEMPOTENCY_MISMATCH', field: 'idempotencyKey' });
      },
    );

    it('takes a default and its absence for the same input', async () => {
      const first = await generate(test, one.key, { idempotencyKey: 'k3' });
      const second = await generate(test, one.key, { idempotencyKey: 'k3', n: 1, sampling: { temperature: 1, topK: 0, stop: [], logitBias: [] } });
      expect(second.id).toBe(first.id);
    });

    it("is the tenant's own", async () => {
      const first = await generate(test, one.key, { idempotencyKey: 'k4' });
      const second = await generate(test, other.key, { idempotencyKey: 'k4', prompt: 'something else' });
      expect(second.id).not.toBe(first.id);
    });

    it('finds the answer after its adapter is gone', async () => {
      const { id: adapterId } = await bringAdapter(test, one.key, 'short-lived', fixture('a'));
      const first = await generate(test, one.key, { idempotencyKey: 'k5', target: 'short-lived' });
      await data(graphql(test, one.key, 'mutation ($id: ID!) { deleteAdapter(input: { adapterId: $id }) { adapterId } }', { id: adapterId }));
      expect((await generate(test, one.key, { idempotencyKey: 'k5', target: 'short-lived' })).id).toBe(first.id);
    });

    it.each(['waits', 'has lost its job', 'runs'])('finds its generation after the adapter is gone, while it %s', async (how) => {
      const target = `gone-${how.replaceAll(' ', '-')}`;
      const { id: adapterId } = await bringAdapter(test, one.key, target, fixture('a'));
      const { opened, open } = gate();
      runner.script = async (run) => opened.then(() => tell(run));
      if (how !== 'runs') await runner.pause();
      const request = { idempotencyKey: target, target };
      const first = await startGeneration(test, one.key, request);
      if (how === 'runs') await until(async () => (await find(test, one.key, first.id)).status === 'RUNNING');
      await data(tryDelete(test, one.key, 'Adapter', adapterId));
      if (how === 'has lost its job') await (await runner.generations.getJob(first.id))?.remove();
      expect((await startGeneration(test, one.key, request)).id).toBe(first.id);
      open();
      await runner.resume();
      expect(await generate(test, one.key, request)).toMatchObject({ id: first.id, status: 'SUCCEEDED', text: 'Once upon a time', adapterId });
      expect(await ledgerOf(test, first.id)).toHaveLength(1);
    });

    it('brings back the job that an API could not add any more, with the same seed', async () => {
      const queue = test.app.get(GenerationQueue, { strict: false });
      const real = queue.add.bind(queue);
      let lost = 0;
      queue.add = (job) => {
        lost = job.sampling.seed;
        return Promise.reject(new Error('the API dies here'));
      };
      expect(reasonOf(await tryGenerate(test, one.key, { idempotencyKey: 'k6' }))).toBe('OVERLOADED');
      queue.add = real;
      expect(await generate(test, one.key, { idempotencyKey: 'k6' })).toMatchObject({ status: 'SUCCEEDED', text: 'Once upon a time' });
      expect(runner.jobs.at(-1)?.sampling.seed).toBe(lost);
    });

    it('gets the answer that an API restarted in between did not give, billed once', async () => {
      const { opened, open } = gate();
      runner.script = async (run) => {
        await run.tokens('Once');
        await opened;
        await run.finish('stop', null, ' upon a time');
      };
      const before = runner.jobs.length;
      const interrupted = tryGenerate(test, one.key, { idempotencyKey: 'k7' });
      const { generationId } = await until(() => runner.jobs.at(before));
      const [answer] = await Promise.all([interrupted.catch(() => null), test.restart()]);
      expect(answer?.data ?? null).toBeNull();
      overdue = test.app.get(OverdueService, { strict: false });
      open();
      const again = await generate(test, one.key, { idempotencyKey: 'k7' });
      expect(again).toMatchObject({ id: generationId, text: 'Once upon a time', status: 'SUCCEEDED' });
      expect(runner.jobs.length).toBe(before + 1);
      expect(await ledgerOf(test, generationId)).toHaveLength(1);
    });
  });

  describe('cancelling', () => {
    it('ends a waiting generation at once, at no cost', async () => {
      await runner.pause();
      const { id } = await startGeneration(test, one.key);
      const { cancelGeneration } = await data(tryCancel(test, one.key, id));
      expect(cancelGeneration.generation).toMatchObject({ status: 'CANCELLED', finishReason: 'CANCELLED', text: '', completionTokens: 0, amount: '0' });
      const before = runner.jobs.length;
      await runner.resume();
      await generate(test, one.key);
      expect(runner.jobs.slice(before).map(({ generationId }) => generationId)).not.toContain(id);
    });

    it('tells whoever waits for it', async () => {
      await runner.pause();
      const waiting = generate(test, one.key, { prompt: 'to be cancelled', idempotencyKey: 'c1' });
      const { id } = await until(async () => (await sql<{ id: string }>(test, "SELECT id FROM generations WHERE idempotency_key = 'c1'"))[0]);
      await tryCancel(test, one.key, id);
      expect(await waiting).toMatchObject({ id, status: 'CANCELLED' });
    });

    it('stops a running generation, which is billed so far', async () => {
      runner.script = async (run) => {
        const cancelled = run.cancelled();
        await run.tokens('so far', 2);
        await cancelled;
        await run.finish('cancelled');
      };
      const { id } = await startGeneration(test, one.key);
      await until(async () => (await find(test, one.key, id)).status === 'RUNNING');
      await data(tryCancel(test, one.key, id));
      expect(await ended(id)).toMatchObject({ status: 'CANCELLED', text: 'so far', completionTokens: 2, amount: String(PROMPT_TOKENS * 20 + 2 * 60) });
      expect(await runner.redis.exists(generationCancelKey(id))).toBe(1);
    });

    it('leaves an ended generation as it is', async () => {
      const generation = await generate(test, one.key);
      expect((await data(tryCancel(test, one.key, generation.id))).cancelGeneration.generation).toEqual(await find(test, one.key, generation.id));
    });

    it("needs credentials, and does not reach another tenant's", async () => {
      await runner.pause();
      const { id } = await startGeneration(test, one.key);
      expect(reasonOf(await tryCancel(test, {}, id))).toBe('UNAUTHENTICATED');
      expect(reasonOf(await tryCancel(test, other.key, id))).toBe('NOT_FOUND');
      expect(reasonOf(await tryCancel(test, one.key, 'nonsense'))).toBe('NOT_FOUND');
      await runner.resume();
      expect((await ended(id)).status).toBe('SUCCEEDED');
    });
  });

  describe('housekeeping', () => {
    const later = (ms: number): number => Date.now() + ms;

    it('leaves alone what may still end by itself', async () => {
      await runner.pause();
      const { id } = await startGeneration(test, one.key);
      await overdue.sweep(later(LOST_AFTER_MS + 1_000));
      expect((await find(test, one.key, id)).status).toBe('QUEUED');
      await runner.resume();
      expect((await ended(id)).status).toBe('SUCCEEDED');
    });

    it('ends at its deadline what no runner took, at no cost', async () => {
      await runner.pause();
      const { id } = await startGeneration(test, one.key);
      await overdue.sweep(later(TIMEOUT_S * 1_000 + 1_000));
      const generation = await find(test, one.key, id);
      expect(generation).toMatchObject({ status: 'FAILED', error: { code: 'TIMED_OUT', retryable: true }, amount: '0' });
      expect(await runner.generations.getJob(id)).toBeUndefined();
    });

    it('does not take a running generation from its runner', async () => {
      const { opened, open } = gate();
      runner.script = async (run) => {
        await run.tokens('slow');
        await opened;
        await run.finish('stop');
      };
      const { id } = await startGeneration(test, one.key);
      await until(async () => (await find(test, one.key, id)).status === 'RUNNING');
      await overdue.sweep(later(TIMEOUT_S * 1_000 + 1_000));
      open();
      expect(await ended(id)).toMatchObject({ status: 'SUCCEEDED', text: 'slow' });
    });

    it('fails what lost its job before any runner saw it', async () => {
      await runner.pause();
      const { id } = await startGeneration(test, one.key);
      await (await runner.generations.getJob(id))?.remove();
      await overdue.sweep(later(LOST_AFTER_MS - 10_000));
      expect((await find(test, one.key, id)).status).toBe('QUEUED');
      await overdue.sweep(later(LOST_AFTER_MS + 1_000));
      expect(await find(test, one.key, id)).toMatchObject({ status: 'FAILED', error: { code: 'OVERLOADED', retryable: true }, amount: '0' });
      expect(await ledgerOf(test, id)).toMatchObject([{ failed: true, amount_nano_usd: '0' }]);
    });

    it('applies an end whose settlement was never sent', async () => {
      let settlement: Settlement | null = null;
      runner.script = async (run) => {
        await run.tokens('text', 4);
        settlement = await run.end('length');
      };
      const { id } = await startGeneration(test, one.key);
      await until(() => settlement);
      await until(async () => (await runner.generations.getJob(id)) === undefined);
      await overdue.sweep(later(LOST_AFTER_MS + 1_000));
      expect(await find(test, one.key, id)).toMatchObject({ status: 'SUCCEEDED', finishReason: 'LENGTH', text: 'text', completionTokens: 4 });
    });

    it('keeps a runner that was believed dead from writing', async () => {
      const { opened, open } = gate();
      let taken = 0;
      runner.script = async (run) => {
        taken = run.fence;
        await run.tokens('so far', 2);
        await run.tokens('done', 1, 1);
        await run.endChoice(1, 'stop');
        await opened;
      };
      const { id } = await startGeneration(test, one.key, { n: 2 });
      await until(() => taken);
      // The lock is what a living runner renews; without it the job is nobody's.
      await runner.redis.del(`aril:bull:generations.${TEST_MODEL}:${id}:lock`);
      await overdue.sweep(later(TIMEOUT_S * 1_000 + 1_000));
      expect(await find(test, one.key, id)).toMatchObject({
        status: 'FAILED',
        text: 'so far',
        choices: [{ text: 'so far', finishReason: 'ERROR', completionTokens: 2 }, { text: 'done', finishReason: 'STOP', completionTokens: 1 }],
        completionTokens: 3,
        amount: '0',
      });
      expect(Number(await runner.redis.get(generationFenceKey(id)))).toBeGreaterThan(taken);
      // A runner that comes across it finds an end to report and nothing to run.
      expect(await runner.redis.hget(generationRunKey(id), 'settlement')).toContain('TIMED_OUT');
      open();
    });

    it('ends what its runner could not run at all', async () => {
      runner.script = () => Promise.reject(new Error('a runner with a bug'));
      const { id } = await startGeneration(test, one.key);
      const job = await until(() => runner.generations.getJob(id));
      await until(async () => (await runner.generations.getJobState(id)) !== 'waiting');
      await until(async () => {
        const state = await job.getState();
        if (state === 'delayed') await job.promote().catch(() => undefined);
        return state === 'failed';
      });
      await overdue.sweep(later(LOST_AFTER_MS + 1_000));
      expect(await find(test, one.key, id)).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL' }, amount: '0' });
      expect(await runner.generations.getJob(id)).toBeUndefined();
    });

    it('removes texts when their retention is over, and nothing else', async () => {
      const [mine, theirs] = await Promise.all([generate(test, one.key, { idempotencyKey: 'p1', n: 2 }), generate(test, other.key)]);
      const texts = test.app.get(TextRetentionService, { strict: false });
      await texts.purge();
      expect((await find(test, one.key, mine.id)).text).toBe('Once upon a time');
      await texts.purge(later(test.config.TEXT_RETENTION_S * 1_000 + 1_000));
      expect(await find(test, one.key, mine.id)).toEqual({ ...mine, text: null, choices: null });
      expect((await find(test, other.key, theirs.id)).text).toBeNull();
      expect(await sql(test, 'SELECT 1 FROM generations WHERE text IS NOT NULL OR choices IS NOT NULL')).toEqual([]);
      expect(await generate(test, one.key, { idempotencyKey: 'p1', n: 2 })).toMatchObject({ id: mine.id, status: 'SUCCEEDED', text: null });
    });

    it('is scheduled, and done by a worker of its own', async () => {
      await until(async () => (await runner.redis.zcard('aril:bull:api-housekeeping:repeat')) === 2);
      await runner.pause();
      const { id } = await startGeneration(test, one.key);
      await (await runner.generations.getJob(id))?.remove();
      await sql(test, "UPDATE generations SET created_at = created_at - interval '2 minutes' WHERE id = $1", [id]);
      const queue = new Queue('api-housekeeping', { connection: runner.redis, prefix: QUEUE_PREFIX });
      // More than once: what is older than this Redis is given its time to come back to it.
      const generation = await until(async () => {
        await queue.add('generation.endOverdue', {});
        await sleep(500);
        const found = await find(test, one.key, id);
        return found.finishedAt !== null && found;
      }, 3 * RESTORED_WITHIN_MS);
      expect(generation.error?.code).toBe('OVERLOADED');
      await queue.add('generation.purgeTexts', {});
      await until(async () => (await queue.getJobCountByTypes('waiting', 'active')) === 0);
      expect(await queue.getFailedCount()).toBe(0);
      await queue.close();
    });
  });

  it('is looked after again when Redis has lost everything, the schedules too', async () => {
    const schedules = () => Promise.all(['housekeeping', 'statements'].map((name) => runner.redis.zcard(`aril:bull:api-${name}:repeat`)));
    await until(async () => (await schedules()).every((count) => count > 0));
    const before = await schedules();
    await runner.redis.flushdb();
    const keep = () => Promise.all([HousekeepingWorker, StatementWorker].map((worker) => test.app.get(worker, { strict: false }).schedule.keep()));
    await keep();
    expect(await schedules()).toEqual(before);
    // Two that look at the same time, and one that finds them there, change nothing.
    await Promise.all([1, 2].map(keep));
    expect(await schedules()).toEqual(before);
  });

  it('is refused while Redis is away, before anything is written', async () => {
    const { client } = test.app.get(RedisService, { strict: false });
    client.disconnect();
    expect((await tryGenerate(test, one.key, { idempotencyKey: 'r1' })).errors?.[0]?.extensions).toMatchObject({
      code: 'OVERLOADED',
      retryable: true,
    });
    expect(await sql(test, "SELECT 1 FROM generations WHERE idempotency_key = 'r1'")).toEqual([]);
    await client.connect();
    expect((await generate(test, one.key, { idempotencyKey: 'r1' })).status).toBe('SUCCEEDED');
  });

  it('a waiting caller hears of an end whose stream Redis has lost', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      const settlement = await run.end('stop', null, 'unheard');
      await run.forgetStream();
      await run.report(settlement);
    };
    const waiting = generate(test, one.key);
    open();
    const answer = await waiting;
    expect(answer).toMatchObject({ status: 'SUCCEEDED', text: 'unheard' });
    expect(await runner.redis.exists(generationStreamKey(answer.id))).toBe(0);
  });

  it('a caller who has heard a part hears of the end, whose number in a stream begun anew is a lower one', async () => {
    const told = gate();
    const { opened, open } = gate();
    runner.script = async (run) => {
      for (const text of ['Once', ' upon', ' a']) await run.tokens(text);
      told.open();
      await opened;
    };
    const waiting = tryGenerate(test, one.key, { idempotencyKey: 'half' });
    await told.opened;
    const [row] = await sql<{ id: string }>(test, "SELECT id FROM generations WHERE idempotency_key = 'half'");
    await until(async () => (await runner.redis.xlen(generationStreamKey(row!.id))) === 3);
    await runner.redis.flushdb();
    await test.app.get(OverdueService, { strict: false }).sweep(Date.now() + LOST_AFTER_MS + 1_000);
    const { generate: answer } = (await waiting).data as unknown as { generate: { generation: { status: string; error: { code: string } } } };
    expect(answer.generation).toMatchObject({ status: 'FAILED', error: { code: 'OVERLOADED' } });
    open();
  });
});

describe('a queue that does not answer', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it('costs nothing, though it takes the job all the same and runs it', async () => {
    const queue = test.app.get(GenerationQueue, { strict: false });
    const real = queue.add.bind(queue);
    // As a Redis that is stopped and goes on: the command arrives, its answer comes too late.
    queue.add = async (job) => {
      await real(job);
      throw new Error('Command timed out');
    };
    runner.script = async (run) => {
      await run.cancelled();
      await run.tokens('for nobody', 5);
      await run.finish('cancelled');
    };
    const answer = await tryGenerate(test, one.key);
    queue.add = real;
    expect(answer.errors?.[0]?.extensions).toMatchObject({ reason: 'OVERLOADED', retryable: true });
    const [row] = await sql<{ id: string }>(test, 'SELECT id FROM generations');
    const id = row?.id ?? '';
    expect(await find(test, one.key, id)).toMatchObject({ status: 'FAILED', amount: '0', error: { code: 'OVERLOADED' } });
    // The job was withdrawn, or its runner was told to stop; what that reports changes nothing.
    await until(async () => (await runner.redis.exists(generationCancelKey(id))) === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await find(test, one.key, id)).toMatchObject({ status: 'FAILED', completionTokens: 0, amount: '0' });
    runner.script = tell;
    expect((await generate(test, one.key)).id).not.toBe(id);
  });
});

describe('what one tenant can have waiting', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  beforeAll(async () => {
    test = await startApp({ TENANT_WAITING_MAX: '4' });
    runner = new ScriptedRunner(test);
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it('is bounded, in answers, and is no one else\'s bound', async () => {
    const [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await tell(run);
    };
    const first = await startGeneration(test, one.key, { n: 3 });
    const refused = await tryGenerate(test, one.key, { n: 2 });
    expect(refused.errors?.[0]?.extensions).toMatchObject({ reason: 'RATE_LIMITED', retryable: true });
    expect(refused.errors?.[0]?.message).toContain('3 answers of this tenant are waited for already, expected at most 4');
    const second = await startGeneration(test, one.key);
    await startGeneration(test, other.key, { n: 4 });
    open();
    for (const { id } of [first, second]) await until(async () => (await find(test, one.key, id)).finishedAt !== null);
    expect((await generate(test, one.key, { n: 4, logprobs: null })).status).toBe('SUCCEEDED');
  });
});

describe('the deadline', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp({ GENERATION_TIMEOUT_S: '1' });
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it('gives those who wait for a runner a clear error', async () => {
    await runner.pause();
    const generation = await generate(test, one.key);
    expect(generation).toMatchObject({ status: 'FAILED', error: { code: 'TIMED_OUT', retryable: true }, amount: '0' });
    expect(generation.error?.message).toContain('1 seconds');
    await runner.resume();
  });

  it('ends the wait for a runner that does not end, not the generation', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('slow');
      await opened;
      await run.finish('stop');
    };
    const answer = await tryGenerate(test, one.key);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ reason: 'TIMED_OUT', retryable: true });
    open();
    const { generationId } = await until(() => runner.jobs.at(-1));
    expect(answer.errors?.[0]?.message).toContain(generationId);
    await until(async () => (await find(test, one.key, generationId)).text === 'slow');
  });
});
