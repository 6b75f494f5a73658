import { generationFenceKey, generationRunKey, generationStreamKey, settlementJobId, type GenerationJob } from '@aril/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aJob, eventually, World } from './support/fixtures.js';
import { RunnerProcess, startScripted, type LocalRunner } from './support/runners.js';
import { expectedOutput } from './support/scripted-engine.js';

let world: World;
let processes: RunnerProcess[] = [];
let locals: LocalRunner[] = [];
beforeAll(async () => {
  world = await World.create();
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  await Promise.all(locals.map(({ runner }) => runner.stop()));
  processes = [];
  locals = [];
  await world.redis.flushall();
});
afterAll(() => world.destroy());

async function start(changes: Record<string, string> = {}): Promise<RunnerProcess> {
  const started = await RunnerProcess.start(world, 'scripted', changes);
  processes.push(started);
  return started;
}

async function startLocal(changes: Record<string, string> = {}): Promise<LocalRunner> {
  const started = await startScripted(world, changes);
  locals.push(started);
  return started;
}

/** Greedy and seeded ones, with texts that lag behind. */
const someJobs = (count: number, maxTokens: number): GenerationJob[] =>
  Array.from({ length: count }, (_, index) =>
    aJob({
      input: { kind: 'prompt', prompt: `secret prompt ${index}` },
      sampling: { maxTokens, temperature: index % 2, seed: index },
    }),
  );

async function expectUninterrupted(job: GenerationJob): Promise<void> {
  const prompt = job.input.kind === 'prompt' ? job.input.prompt : '';
  const expected = expectedOutput({ promptTokens: [...Buffer.from(prompt)], adapter: null, sampling: job.sampling });
  const settlement = await world.settlement(job.generationId);
  expect(await world.tokens(job.generationId)).toEqual(expected.tokens);
  expect(await world.text(job.generationId)).toBe(expected.text);
  expect(settlement).toMatchObject({ text: expected.text, finishReason: 'length', completionTokens: expected.tokens.length });
}

describe('SIGKILL mid-stream', () => {
  it('another runner goes on where it stood: nothing lost, nothing repeated', async () => {
    const victim = await start();
    const jobs = someJobs(8, 150);
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    for (const job of jobs) await world.untilTokens(job.generationId, 10);
    await victim.kill();
    const { engine } = await startLocal();
    for (const job of jobs) await expectUninterrupted(job);
    expect(engine.submitted.every((request) => (request.resumeTokens[0]?.length ?? 0) >= 10)).toBe(true);
    await world.untilIdle();
  });

  it('each choice goes on where it stood, with its log probabilities; one that had ended stays as it was', async () => {
    const victim = await start();
    const job = aJob({ n: 3, logprobs: 2, echo: true, sampling: { maxTokens: 60, temperature: 1 } });
    await world.enqueue(job);
    // The last choice ends 14 tokens before the first.
    await world.untilTokens(job.generationId, 50);
    await victim.kill();
    const before = await world.events(job.generationId);
    expect(before.map((event) => event.type === 'choiceEnd' && event.choice)).toContain(2);
    expect(before.at(-1)?.type).not.toBe('end');
    const { engine } = await startLocal();
    const settlement = await world.settlement(job.generationId);
    const request = { promptTokens: [...Buffer.from('Once upon a time')], adapter: null, sampling: job.sampling };
    const expected = [0, 1, 2].map((choice) => expectedOutput(request, choice));
    for (const [choice, { tokens, text }] of expected.entries()) {
      expect(await world.tokens(job.generationId, choice)).toEqual(tokens);
      expect(await world.text(job.generationId, choice)).toBe(text);
    }
    const events = await world.events(job.generationId);
    expect(events.filter(({ type }) => type === 'prompt')).toHaveLength(1);
    expect(engine.submitted[0]?.promptLogprobs).toBeNull();
    const scored = events.flatMap((event) => (event.type === 'tokens' ? (event.logprobs ?? []) : []));
    expect(scored).toHaveLength(60 + 53 + 46);
    expect(events.filter((event) => event.type === 'choiceEnd' && event.choice === 2)).toHaveLength(1);
    expect(settlement).toMatchObject({ text: expected[0]?.text, finishReason: 'length', promptTokens: 16, completionTokens: 60 + 53 + 46 });
    expect(settlement.choices).toEqual(
      expected.map(({ tokens, text }, choice) => ({ text, finishReason: choice === 0 ? 'length' : 'stop', completionTokens: tokens.length })),
    );
  });

  it('the restarted runner itself goes on, again and again', async () => {
    const [job] = someJobs(1, 120);
    if (!job) throw new Error('no job');
    await world.enqueue(job);
    for (let kills = 1; kills <= 3; kills++) {
      const victim = await start({ RUNNER_ID: 'same' });
      await world.untilTokens(job.generationId, kills * 20);
      await victim.kill();
    }
    await start({ RUNNER_ID: 'same' });
    await expectUninterrupted(job);
    expect((await world.settlement(job.generationId)).fence).toBe(4);
  });

  it('while it loads an adapter: another loads it', async () => {
    const victim = await start({ LOAD_MS: '60000' });
    const job = aJob({ adapter: await world.putAdapter({}, Buffer.from('weights')) });
    await world.enqueue(job);
    await eventually('the take', 5000, () => world.redis.get(generationFenceKey(job.generationId)));
    await victim.kill();
    await startLocal();
    expect(await world.settlement(job.generationId)).toMatchObject({ fence: 2, finishReason: 'length', completionTokens: 40 });
  });

  it('ends what had its last token and not its end', async () => {
    const { runner } = await startLocal();
    const job = aJob({ n: 2, sampling: { maxTokens: 11 } });
    await world.enqueue(job);
    const { runnerId: _runner, fence: _fence, timings: _timings, finishedAtMs: _finished, ...first } = await world.settlement(job.generationId);
    const events = await world.events(job.generationId);
    await runner.stop();
    locals = [];
    // What a kill leaves that comes between the two.
    const stream = generationStreamKey(job.generationId);
    const entries = await world.redis.xrange(stream, '-', '+');
    await world.redis.del(stream);
    for (const [id, fields] of entries.slice(0, -1)) await world.redis.xadd(stream, id, ...fields);
    await world.redis.hdel(generationRunKey(job.generationId), 'settlement');
    await (await world.settlements.getJob(settlementJobId(job.generationId)))?.remove();
    await world.enqueue(job);
    await startLocal();
    expect(await world.settlement(job.generationId)).toMatchObject({ ...first, fence: 2 });
    expect(await world.events(job.generationId)).toEqual(events);
  });

  it('reports an end that its runner could not report any more', async () => {
    // The end is in the stream and the settlement job is not: exactly what a kill between the two leaves.
    const { runner } = await startLocal();
    const [job] = someJobs(1, 10);
    if (!job) throw new Error('no job');
    await world.enqueue(job);
    const first = await world.settlement(job.generationId);
    await runner.stop();
    locals = [];
    await (await world.settlements.getJob(settlementJobId(job.generationId)))?.remove();
    await world.enqueue(job);
    await startLocal();
    expect(await world.settlement(job.generationId)).toEqual(first);
  });
});

describe('a runner that was only asleep', () => {
  it('writes nothing and settles nothing after its generation was taken over', async () => {
    const sleeper = await start({ STEP_MS: '10' });
    const jobs = someJobs(4, 300);
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    for (const job of jobs) await world.untilTokens(job.generationId, 10);
    sleeper.signal('SIGSTOP');
    const { engine } = await startLocal();
    engine.stepMs = 20;
    await eventually('the takeover', 20_000, async () => (engine.submitted.length === 4 ? true : null));
    sleeper.signal('SIGCONT');
    for (const job of jobs) await expectUninterrupted(job);
    const ends = await Promise.all(jobs.map((job) => world.settlement(job.generationId)));
    expect(ends.every((end) => end.runnerId === locals[0]?.config.RUNNER_ID && end.fence === 2)).toBe(true);
    expect(sleeper.output).toContain('another runner owns this generation');
    await world.untilIdle();
  });

  it('beside all others, that wake one after the other, goes on or has another go on, from where it stood', async () => {
    const sleepers = [await start({ STEP_MS: '10', MAX_BATCH: '4' }), await start({ STEP_MS: '10', MAX_BATCH: '4' })];
    const jobs = someJobs(8, 300);
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    for (const job of jobs) await world.untilTokens(job.generationId, 5);
    for (const sleeper of sleepers) sleeper.signal('SIGSTOP');
    await delay(2500);
    for (const sleeper of sleepers) {
      sleeper.signal('SIGCONT');
      await delay(1500);
    }
    for (const job of jobs) await expectUninterrupted(job);
    await world.untilIdle();
  });

  it('is still of use afterwards', async () => {
    const sleeper = await start({ STEP_MS: '10' });
    const [first, second] = someJobs(2, 100);
    if (!first || !second) throw new Error('no jobs');
    await world.enqueue(first);
    await world.untilTokens(first.generationId, 5);
    await world.redis.incr(generationFenceKey(first.generationId));
    await sleeper.untilOutput('another runner owns this generation');
    await world.enqueue(second);
    await expectUninterrupted(second);
    // Nobody really had the first: its lock expires, and it is finished after all.
    await expectUninterrupted(first);
  });
});

describe('SIGTERM', () => {
  it('takes nothing new and finishes what runs', async () => {
    const leaving = await start({ STEP_MS: '10' });
    const running = someJobs(4, 100);
    await Promise.all(running.map((job) => world.enqueue(job)));
    for (const job of running) await world.untilTokens(job.generationId, 5);
    leaving.signal('SIGTERM');
    await delay(100);
    const [late] = someJobs(1, 5);
    if (!late) throw new Error('no job');
    await world.enqueue(late);
    expect(await leaving.exited()).toBe(0);
    for (const job of running) await expectUninterrupted(job);
    expect(await world.jobs.getJobState(late.generationId)).toBe('waiting');
    expect((await world.settlement(running[0]?.generationId ?? '')).fence).toBe(1);
  });

  it('hands back what does not finish in time, at once and without losing a token', async () => {
    const leaving = await start({ STEP_MS: '20', DRAIN_TIMEOUT_S: '0.3', LOCK_DURATION_MS: '60000' });
    const jobs = someJobs(6, 200);
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    for (const job of jobs) await world.untilTokens(job.generationId, 5);
    leaving.signal('SIGTERM');
    expect(await leaving.exited()).toBe(0);
    // Locks of a minute show that the jobs were given back and did not expire.
    const { engine } = await startLocal();
    for (const job of jobs) await expectUninterrupted(job);
    expect(engine.submitted.every((request) => (request.resumeTokens[0]?.length ?? 0) >= 5)).toBe(true);
  });

  it('hands jobs that wait for their adapter back at once', async () => {
    const local = await startLocal({ LOCK_DURATION_MS: '60000' });
    const adapter = await world.putAdapter({}, Buffer.from('slow adapter'));
    local.engine.loadAdapter = () => new Promise(() => {});
    const job = aJob({ adapter });
    await world.enqueue(job);
    await eventually('the take', 5000, async () => ((await world.redis.get(generationFenceKey(job.generationId))) ? true : null));
    await local.runner.stop();
    locals = [];
    expect(await world.jobs.getJobState(job.generationId)).toBe('waiting');
    await startLocal();
    expect((await world.settlement(job.generationId)).finishReason).toBe('length');
  });
});

it('hands everything back and reports it when the engine ends by itself', async () => {
  const dying = await startLocal();
  dying.engine.stepMs = 10;
  const jobs = someJobs(3, 200);
  await Promise.all(jobs.map((job) => world.enqueue(job)));
  for (const job of jobs) await world.untilTokens(job.generationId, 5);
  await dying.engine.close();
  await dying.engineGone;
  await dying.runner.stop();
  locals = [];
  await startLocal();
  for (const job of jobs) await expectUninterrupted(job);
});

it('logs neither prompts nor outputs', async () => {
  const runner = await start({ LOG_LEVEL: 'trace', STEP_MS: '2' });
  const job = aJob({ input: { kind: 'prompt', prompt: 'my secret prompt' } });
  const refused = aJob({ input: { kind: 'prompt', prompt: 'my secret <nan>' } });
  const invalid = { ...aJob(), sampling: { maxTokens: 'my secret limit' } };
  for (const each of [job, refused]) await world.enqueue(each);
  await world.jobs.add('generation.run', invalid as never);
  const { text } = await world.settlement(job.generationId);
  await world.settlement(refused.generationId);
  await runner.untilOutput('invalid job payload');
  await runner.untilOutput(job.generationId);
  expect(runner.output).not.toContain('my secret');
  for (const word of text.trim().split(' ').slice(0, 5)) expect(runner.output).not.toContain(word);
});
