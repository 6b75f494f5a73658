/** A Redis that goes away in the middle of answers, and one that comes back without its data. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis, type Server } from '@aril/local-services';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { all, overSocket, overSse } from './event-followers.js';
import { find, type GenerationAnswer, ledgerOf, reasonOf, sql, startGeneration, tryGenerate } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { limitsOf, postCompletion, setLimits } from './limit-fixtures.js';
import { gate, ScriptedRunner, tell, until } from './scripted-runner.js';

describe('a Redis that goes away and comes back without its data', () => {
  let folder: string;
  let redis: Server;
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  const startServer = (): Promise<Server> => startRedis({ dir: join(folder, 'redis'), durable: false });
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'aril-redis-lost-'));
    redis = await startServer();
    test = await startApp({ REDIS_URL: redis.url });
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const ended = (id: string, ms: number): Promise<GenerationAnswer> =>
    until(async () => {
      const generation = await find(test, one.key, id).catch(() => null);
      return generation?.finishedAt ? generation : null;
    }, ms);
  const idOf = async (prompt: string): Promise<string> => (await until(() => runner.jobs.find(({ input }) => input.kind === 'prompt' && input.prompt === prompt))).generationId;

  it('is told of soon to whoever waits, costs nothing where that is all that was told, and loses what nobody else knows', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('Once', 4);
      await opened;
      // As a runner does that finds nothing of it any more.
      await run.rewrite();
      await run.finish('stop', null, ' upon a time');
    };
    const ask = (prompt: string, stream: boolean): Promise<Response> => postCompletion(test, one.key, { model: TEST_MODEL, prompt, stream });
    const streamed = ask('streamed', true);
    const whole = ask('whole', false);
    const generated = tryGenerate(test, one.key, { prompt: 'generated' });
    const { id: followed } = await startGeneration(test, one.key, { prompt: 'followed' });
    const events = [overSse, overSocket].map((follow) => all(follow(test, one.key, followed)).catch((error: Error) => error.message));
    const text = (await streamed).text();
    const ids = await Promise.all(['streamed', 'whole', 'generated', 'followed'].map(idOf));
    await runner.pause();
    const { id: waiting } = await startGeneration(test, one.key, { prompt: 'waiting' });
    const { id: kept } = await startGeneration(test, one.key, { prompt: 'kept' });
    const job = await until(() => runner.generations.getJob(kept));
    const toldOfWaiting = all(overSse(test, one.key, waiting)).catch((error: Error) => error.message);

    const goneAt = Date.now();
    await redis.stop();
    expect(await text).toMatch(/"text":"Once"[^]*event: error\ndata: .*"code":"overloaded"/);
    expect((await whole).status).toBe(503);
    expect(reasonOf(await generated)).toBe('OVERLOADED');
    expect(await Promise.all([...events, toldOfWaiting])).toEqual(['OVERLOADED', 'OVERLOADED', 'OVERLOADED']);
    expect(Date.now() - goneAt).toBeLessThan(40_000);
    // Nobody asks for these again, so they are over; the others can still be asked for. A look at one that is not over yet waits
    // for Redis, ten seconds long.
    for (const id of ids.slice(0, 2)) expect(await ended(id, 30_000)).toMatchObject({ status: 'FAILED', error: { code: 'OVERLOADED', retryable: true }, amount: '0' });

    redis = await startServer();
    const backAt = Date.now();
    await runner.pause();
    await runner.generations.add(job.name, job.data, job.opts);
    const again = all(overSse(test, one.key, waiting));
    open();
    // What a runner goes on with ends as if nothing had been; what was told as failed stays so, whatever is reported.
    for (const id of ids.slice(2)) expect(await ended(id, 10_000)).toMatchObject({ status: 'SUCCEEDED', text: 'Once upon a time', completionTokens: 4 });
    await until(async () => (await runner.settlements.count()) === 0);
    for (const id of ids.slice(0, 2)) expect(await ledgerOf(test, id)).toMatchObject([{ failed: true, amount_nano_usd: '0' }]);
    // What waited was in Redis alone.
    expect((await again).at(-1)).toMatchObject({ __typename: 'GenerationEnd', error: { code: 'OVERLOADED' } });
    expect(Date.now() - backAt).toBeLessThan(40_000);
    expect(await ended(waiting, 10_000)).toMatchObject({ status: 'FAILED', amount: '0' });
    expect(await find(test, one.key, kept)).toMatchObject({ status: 'QUEUED' });
    await runner.resume();
    expect(await ended(kept, 10_000)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await limitsOf(test, one.key)).budget.reserved).toBe('0');
    expect(await sql(test, 'SELECT generation_id FROM ledger_entries GROUP BY 1 HAVING count(*) > 1')).toEqual([]);
  });

  it('is overloaded while it has no memory left, and charges nothing for that', async () => {
    const limited = await createTenant(test);
    await setLimits(test, limited.user, { requestsPerMinute: 1_000 });
    runner.script = tell;
    const ask = (): Promise<Response> => postCompletion(test, limited.key, { model: TEST_MODEL, prompt: 'full' });
    await runner.redis.config('SET', 'maxmemory', '1');
    try {
      const answer = await ask();
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ error: { code: 'overloaded' } });
      expect(reasonOf(await tryGenerate(test, limited.key, { prompt: 'full' }))).toBe('OVERLOADED');
    } finally {
      await runner.redis.config('SET', 'maxmemory', '0');
    }
    await until(async () => (await ask()).status === 200);
    // None is left open by a refusal; the answered ones are settled a moment later.
    await until(async () => (await sql(test, "SELECT 1 FROM generations WHERE tenant_id = $1 AND status = 'QUEUED'", [limited.id])).length === 0);
    expect(await sql(test, "SELECT 1 FROM ledger_entries WHERE tenant_id = $1 AND failed AND amount_nano_usd > 0", [limited.id])).toEqual([]);
  });
});
