import { generationCancelKey, generationFenceKey, generationStreamKey, CANCEL_CHANNEL, RUNNERS_KEY, runnerHeartbeatSchema, STREAM_RETENTION_S } from '@aril/contracts';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { aJob, eventually, World } from './support/fixtures.js';
import { startScripted, type LocalRunner } from './support/runners.js';
import { expectedOutput } from './support/scripted-engine.js';

let world: World;
let runners: LocalRunner[] = [];
beforeAll(async () => {
  world = await World.create();
});
afterEach(async () => {
  await Promise.all(runners.map(({ runner }) => runner.stop()));
  runners = [];
  await world.redis.flushall();
});
afterAll(() => world.destroy());

async function start(changes: Record<string, string> = {}): Promise<LocalRunner> {
  const started = await startScripted(world, changes);
  runners.push(started);
  return started;
}

const promptTokens = (text: string): number[] => [...Buffer.from(text)];

describe('job → stream → settlement', () => {
  it('streams numbered events and settles what it streamed', async () => {
    await start();
    const job = aJob();
    await world.enqueue(job);
    const settlement = await world.settlement(job.generationId);
    const expected = expectedOutput({ promptTokens: promptTokens('Once upon a time'), adapter: null, sampling: job.sampling });

    expect(await world.tokens(job.generationId)).toEqual(expected.tokens);
    expect(await world.text(job.generationId)).toBe(expected.text);
    expect(settlement).toMatchObject({
      generationId: job.generationId,
      tenantId: job.tenantId,
      text: expected.text,
      finishReason: 'length',
      promptTokens: 16,
      completionTokens: 40,
      error: null,
      fence: 1,
    });
    expect(settlement.timings.ttftMs).toBeGreaterThanOrEqual(0);
    expect(settlement.timings.totalMs).toBeGreaterThanOrEqual(settlement.timings.ttftMs ?? 0);
    const end = (await world.events(job.generationId)).at(-1);
    expect(end).toMatchObject({ type: 'end', finishReason: 'length', promptTokens: 16, completionTokens: 40 });
    await world.untilIdle();
  });

  it('lets stream and keys expire after the retention, and keeps no prompt', async () => {
    await start();
    const job = aJob();
    await world.enqueue(job);
    await world.settlement(job.generationId);
    await world.untilIdle();
    for (const key of [generationStreamKey(job.generationId), generationFenceKey(job.generationId)]) {
      const ttl = await world.redis.ttl(key);
      expect(ttl).toBeGreaterThan(STREAM_RETENTION_S - 60);
      expect(ttl).toBeLessThanOrEqual(STREAM_RETENTION_S);
    }
    expect(await world.jobs.getJob(job.generationId)).toBeUndefined();
  });

  it('serves two adapters and the base at once, each with its own output', async () => {
    const { engine } = await start();
    engine.stepMs = 5;
    const adapters = [await world.putAdapter({ r: 4 }, Buffer.from('a')), await world.putAdapter({ r: 8 }, Buffer.from('b')), null];
    const jobs = adapters.map((adapter) => aJob({ adapter }));
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    for (const [index, job] of jobs.entries()) {
      const settlement = await world.settlement(job.generationId);
      const adapter = adapters[index]?.sha256 ?? null;
      const expected = expectedOutput({ promptTokens: promptTokens('Once upon a time'), adapter, sampling: job.sampling });
      expect(settlement.text).toBe(expected.text);
    }
    const texts = await Promise.all(jobs.map((job) => world.text(job.generationId)));
    expect(new Set(texts).size).toBe(3);
  });

  it('writes the whole batch in one round trip per engine step at most', async () => {
    const { engine } = await start({ MAX_BATCH: '64' });
    engine.stepMs = 10;
    let steps = 0;
    const flush = engine.onStep;
    engine.onStep = () => {
      steps++;
      flush();
    };
    const pipelines = vi.spyOn(Redis.prototype, 'pipeline');
    const jobs = Array.from({ length: 64 }, (_, index) => aJob({ input: { kind: 'prompt', prompt: `p${index}` } }));
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    await Promise.all(jobs.map((job) => world.settlement(job.generationId)));
    const roundTrips = pipelines.mock.contexts.filter((redis) => (redis as Redis).options.connectionName === 'aril:stream').length;
    pipelines.mockRestore();
    for (const job of jobs) expect(await world.tokens(job.generationId)).toHaveLength(40);
    expect(roundTrips).toBeGreaterThan(0);
    // One more for the script that a fresh Redis does not know.
    expect(roundTrips).toBeLessThanOrEqual(steps + 1);
  });

  it('reports itself in the hash of live runners, and leaves it', async () => {
    const { runner, config } = await start();
    const beat = runnerHeartbeatSchema.parse(JSON.parse((await world.redis.hget(RUNNERS_KEY, config.RUNNER_ID)) ?? ''));
    expect(beat).toMatchObject({ runnerId: config.RUNNER_ID, baseModelId: config.BASE_MODEL_ID, device: 'script' });
    await runner.stop();
    runners = [];
    expect(await world.redis.hget(RUNNERS_KEY, config.RUNNER_ID)).toBeNull();
  });
});

describe('several choices', () => {
  it('share one stream and one end, and are settled together', async () => {
    const { engine } = await start();
    const constraint = { type: 'regex' as const, pattern: '( w[0-9]+)+' };
    const job = aJob({ n: 3, logprobs: 1, constraint });
    await world.enqueue(job);
    const settlement = await world.settlement(job.generationId);
    expect(engine.submitted).toMatchObject([{ n: 3, logprobs: 1, constraint, cacheSalt: job.tenantId, resumeTokens: [[], [], []] }]);
    const events = await world.events(job.generationId);
    const ends = events.flatMap((event) => (event.type === 'tokens' || event.type === 'prompt' ? [] : [event]));
    // Steps that are told together have their choices in order, whichever ended first.
    expect(ends.toSorted((one, other) => ('choice' in other ? other.choice : 0) - ('choice' in one ? one.choice : 0))).toMatchObject([
      { type: 'choiceEnd', choice: 2, finishReason: 'stop' },
      { type: 'choiceEnd', choice: 1, finishReason: 'stop' },
      { type: 'end', choice: 0, finishReason: 'length', promptTokens: 16, cachedTokens: 3, completionTokens: 40 + 33 + 26 },
    ]);
    expect(events.at(-1)?.type).toBe('end');
    for (const event of events) if (event.type === 'tokens') expect(event.logprobs?.map(({ token }) => token)).toEqual(event.tokens);
    expect(settlement.choices?.map(({ completionTokens }) => completionTokens)).toEqual([40, 33, 26]);
    expect(settlement.choices?.[1]?.text).toBe(await world.text(job.generationId, 1));
    expect(settlement).toMatchObject({ text: await world.text(job.generationId, 0), cachedTokens: 3, completionTokens: 99 });
    await world.untilIdle();
  });

  it('have the prompt told once, before them', async () => {
    const { engine } = await start();
    const echoes = [null, 1].map((logprobs) => aJob({ n: 2, echo: true, logprobs }));
    for (const job of echoes) {
      await world.enqueue(job);
      await world.settlement(job.generationId);
      const [first, ...rest] = await world.events(job.generationId);
      expect(first).toMatchObject({ type: 'prompt', seq: 1, text: 'Once upon a time', opening: 'O' });
      const scored = first?.type === 'prompt' ? first.logprobs?.map(({ token, top }) => [token, top.length]) : null;
      expect(scored ?? null).toEqual(job.logprobs === null ? null : [...Buffer.from('nce upon a time')].map((token) => [token, 1]));
      expect(rest.some(({ type }) => type === 'prompt')).toBe(false);
    }
    expect(engine.submitted.map(({ promptLogprobs }) => promptLogprobs)).toEqual([null, 1]);
  });

  it('are all cancelled, except those that had ended', async () => {
    const { engine } = await start();
    engine.stepMs = 20;
    const job = aJob({ n: 2, sampling: { maxTokens: 12 } });
    await world.enqueue(job);
    await world.untilTokens(job.generationId, 6);
    await world.redis.publish(CANCEL_CHANNEL, job.generationId);
    const settlement = await world.settlement(job.generationId);
    expect(settlement.finishReason).toBe('cancelled');
    expect(settlement.choices?.map(({ finishReason }) => finishReason)).toEqual(['cancelled', 'stop']);
    expect(settlement.completionTokens).toBe((await world.tokens(job.generationId)).length + 5);
  });

  it('fail together when one does', async () => {
    const { engine } = await start();
    const job = aJob({ n: 2, input: { kind: 'prompt', prompt: '<nan> in the second' } });
    await world.enqueue(job);
    const settlement = await world.settlement(job.generationId);
    expect(settlement).toMatchObject({ finishReason: 'error', error: { code: 'NUMERIC_ERROR' }, completionTokens: 4 + 3 });
    expect((await world.events(job.generationId)).at(-1)).toMatchObject({ type: 'end', choice: 1, completionTokens: 4 + 3 });
    await eventually('the end of the other choice', 5000, () => Promise.resolve(engine.load().running === 0 ? true : null));
    expect(await world.tokens(job.generationId, 0)).toHaveLength(4);
  });
});

describe('ends that are not the model’s', () => {
  it('ends a job past its deadline as TIMED_OUT without running it', async () => {
    const { engine } = await start();
    const job = aJob({ deadlineMs: Date.now() - 1 });
    await world.enqueue(job);
    const settlement = await world.settlement(job.generationId);
    expect(settlement).toMatchObject({ finishReason: 'error', error: { code: 'TIMED_OUT' }, promptTokens: 0, completionTokens: 0, text: '' });
    expect(engine.submitted).toHaveLength(0);
  });

  it('ends a job cancelled before it was taken', async () => {
    const job = aJob();
    await world.redis.set(generationCancelKey(job.generationId), '1');
    await world.enqueue(job);
    const { engine } = await start();
    const settlement = await world.settlement(job.generationId);
    expect(settlement).toMatchObject({ finishReason: 'cancelled', completionTokens: 0, error: null });
    expect(engine.submitted).toHaveLength(0);
  });

  it('ends a running generation when it is cancelled, with what was generated', async () => {
    const { engine } = await start();
    engine.stepMs = 20;
    const job = aJob({ sampling: { maxTokens: 5000 } });
    await world.enqueue(job);
    await world.untilTokens(job.generationId, 5);
    await world.redis.publish(CANCEL_CHANNEL, job.generationId);
    const settlement = await world.settlement(job.generationId);
    expect(settlement.finishReason).toBe('cancelled');
    expect(settlement.completionTokens).toBe((await world.tokens(job.generationId)).length);
    expect(settlement.completionTokens).toBeLessThan(1000);
    expect(settlement.text).toBe(await world.text(job.generationId));
    await world.untilIdle();
  });

  it('notices a cancellation that was announced while it was not connected', async () => {
    const { engine } = await start();
    engine.stepMs = 20;
    const job = aJob({ sampling: { maxTokens: 5000 } });
    await world.enqueue(job);
    await world.untilTokens(job.generationId, 3);
    await world.redis.set(generationCancelKey(job.generationId), '1');
    await world.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    expect((await world.settlement(job.generationId)).finishReason).toBe('cancelled');
  });

  it.each([
    ['<refuse>', 'BAD_INPUT', 0],
    ['<nan>', 'NUMERIC_ERROR', 3],
    ['x'.repeat(2000), 'CONTEXT_TOO_LONG', 0],
  ])('reports what the engine refuses or breaks on: %.10s', async (prompt, code, completionTokens) => {
    await start();
    const job = aJob({ input: { kind: 'prompt', prompt } });
    const sound = aJob();
    await world.enqueue(job);
    await world.enqueue(sound);
    const settlement = await world.settlement(job.generationId);
    expect(settlement).toMatchObject({ finishReason: 'error', error: { code }, completionTokens });
    expect((await world.events(job.generationId)).at(-1)).toMatchObject({ type: 'end', error: { code } });
    expect((await world.settlement(sound.generationId)).finishReason).toBe('length');
  });

  it('fails a job whose payload is not one, saying where but not what', async () => {
    await start();
    const job = { ...aJob(), input: { kind: 'prompt', prompt: 42 } };
    await world.jobs.add('generation.run', job as never, { jobId: job.generationId });
    const failed = await eventually('the failed job', 10_000, async () => {
      // What was read before the job failed does not have the reason: it must be there, not only the state.
      const found = await world.jobs.getJob(job.generationId);
      return found?.failedReason !== undefined && (await found.isFailed()) ? found : null;
    });
    expect(failed.failedReason).toContain('input.prompt');
    expect(failed.failedReason).not.toContain('42');
    expect(failed.attemptsMade).toBe(1);
  });

  it('refuses a job of another base model', async () => {
    await start();
    const job = aJob({ baseModelId: 'other-model' });
    await world.enqueue(job);
    expect(await world.settlement(job.generationId)).toMatchObject({ finishReason: 'error', error: { code: 'MODEL_NOT_FOUND' } });
  });

  it('settles again, in the same words, when a job comes back after its end', async () => {
    await start();
    const job = aJob();
    await world.enqueue(job);
    const first = await world.settlement(job.generationId);
    await world.untilIdle();
    const events = await world.events(job.generationId);
    await world.settlements.obliterate({ force: true });
    await world.enqueue(job);
    expect(await world.settlement(job.generationId)).toEqual(first);
    expect(await world.events(job.generationId)).toEqual(events);
  });

  it('ends a generation that has killed its runners too often', async () => {
    const job = aJob({ generationId: randomUUID() });
    await world.redis.set(generationFenceKey(job.generationId), '25');
    await start();
    await world.enqueue(job);
    expect(await world.settlement(job.generationId)).toMatchObject({ finishReason: 'error', error: { code: 'RUNNER_LOST' } });
  });
});
