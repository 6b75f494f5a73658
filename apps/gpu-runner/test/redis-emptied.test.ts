/** A Redis that comes back without its data, or without the end of it: what runners know is written again. */
import { generationFenceKey, generationRunKey, generationStreamKey, settlementJobId, type GenerationJob } from '@aril/contracts';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { aJob, eventually, World } from './support/fixtures.js';
import { StreamChannel } from '../src/consumer/stream-channel.js';
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
  started.engine.stepMs = 10;
  runners.push(started);
  return started;
}

const someJobs = (count: number, maxTokens: number): GenerationJob[] =>
  Array.from({ length: count }, (_, index) =>
    aJob({ input: { kind: 'prompt', prompt: `prompt ${index}` }, sampling: { maxTokens, temperature: index % 2, seed: index } }),
  );

async function expectWhole(job: GenerationJob): Promise<void> {
  const prompt = job.input.kind === 'prompt' ? job.input.prompt : '';
  const expected = expectedOutput({ promptTokens: [...Buffer.from(prompt)], adapter: null, sampling: job.sampling });
  const settlement = await world.settlement(job.generationId);
  expect(settlement).toMatchObject({ text: expected.text, finishReason: 'length', completionTokens: expected.tokens.length, error: null });
  expect(await world.tokens(job.generationId)).toEqual(expected.tokens);
  expect(await world.text(job.generationId)).toBe(expected.text);
}

it('found out by a heartbeat while a write is under way: all is written again, once, whatever that write says', () => {
  for (const reply of ['written', 'forgotten']) {
    let restored = 0;
    const ends = { onLost: () => {}, onRestored: () => void restored++ };
    const channel = new StreamChannel({ generationId: 'g', fence: 1, takenAtMs: 5, firstTokenAtMs: 6, deadlineMs: 0, entries: [{ seq: 1, json: '{}' }], ...ends });
    channel.push({ choice: 0, tokens: [1], text: 'a', reasoningTokens: 0, logprobs: null });
    expect(channel.freeze()).toMatchObject({ wholeSince: null, entries: [{ seq: 2 }] });
    expect(channel.restore()).toBe(true);
    if (reply === 'written') channel.confirm();
    else expect(channel.restore()).toBe(true);
    expect([channel.hasWork, restored]).toEqual([true, 0]);
    expect(channel.freeze()).toMatchObject({ wholeSince: 5, entries: [{ seq: 1 }, { seq: 2 }] });
    // What was whole and is said not to be cannot be made more so.
    expect(channel.restore()).toBe(false);
    channel.confirm();
    expect([channel.hasWork, restored]).toEqual([false, 1]);
  }
});

it('emptied mid-stream: what was told stays as it was told, and the rest follows', async () => {
  await start();
  const jobs = someJobs(6, 150);
  await Promise.all(jobs.map((job) => world.enqueue(job)));
  for (const job of jobs) await world.untilTokens(job.generationId, 10);
  const told = await Promise.all(jobs.map(({ generationId }) => world.events(generationId)));
  await world.redis.flushall();
  for (const job of jobs) await expectWhole(job);
  const now = await Promise.all(jobs.map(({ generationId }) => world.events(generationId)));
  expect(now.map((events, index) => events.slice(0, told[index]?.length))).toEqual(told);
  await world.untilIdle();
});

it('emptied mid-stream, and the runner dies after it: another one goes on', async () => {
  const { runner } = await start({ DRAIN_TIMEOUT_S: '0' });
  const [job] = someJobs(1, 300) as [GenerationJob];
  await world.enqueue(job);
  await world.untilTokens(job.generationId, 10);
  await world.redis.flushall();
  await world.untilTokens(job.generationId, 20);
  await runner.stop();
  runners = [];
  const { engine } = await start();
  await expectWhole(job);
  expect(engine.submitted[0]?.resumeTokens[0]?.length).toBeGreaterThanOrEqual(20);
});

it('emptied before the first token: nobody else knows of the request any more, and it is run', async () => {
  const { engine } = await start();
  const load = engine.loadAdapter.bind(engine);
  let arrived = (): void => {};
  const waiting = new Promise<void>((resolve) => (arrived = resolve));
  engine.loadAdapter = async (...args) => waiting.then(() => load(...args));
  const job = aJob({ adapter: await world.putAdapter({}, Buffer.from('weights')), sampling: { maxTokens: 20 } });
  await world.enqueue(job);
  await eventually('the take', 5_000, async () => ((await world.redis.exists(generationFenceKey(job.generationId))) ? true : null));
  await world.redis.flushall();
  // What says to the API that it is not lost.
  await eventually('the job', 10_000, async () => ((await world.jobs.getJob(job.generationId)) ? true : null));
  expect(await world.redis.exists(generationFenceKey(job.generationId))).toBe(1);
  arrived();
  expect(await world.settlement(job.generationId)).toMatchObject({ finishReason: 'length', completionTokens: 20, error: null });
  await world.untilIdle();
});

it('the end of a stream was lost: it is written again in the same words', async () => {
  await start();
  const [job] = someJobs(1, 150) as [GenerationJob];
  await world.enqueue(job);
  await world.untilTokens(job.generationId, 20);
  const told = await world.events(job.generationId);
  const key = generationStreamKey(job.generationId);
  const kept = (await world.redis.xrange(key, '-', '+', 'COUNT', 10)) as [string, string[]][];
  const transaction = world.redis.multi().del(key);
  for (const [id, fields] of kept) transaction.xadd(key, id, ...fields);
  await transaction.exec();
  await expectWhole(job);
  expect((await world.events(job.generationId)).slice(0, told.length)).toEqual(told);
});

it('an end that was reported and is gone before anybody has applied it is reported again', async () => {
  await start();
  const [job] = someJobs(1, 20) as [GenerationJob];
  await world.enqueue(job);
  const settlement = await world.settlement(job.generationId);
  await world.redis.flushall();
  expect(await world.settlement(job.generationId)).toEqual(settlement);
});

it('one that was ended by others meanwhile stays as they ended it', async () => {
  await start();
  const [job] = someJobs(1, 400) as [GenerationJob];
  await world.enqueue(job);
  await world.untilTokens(job.generationId, 10);
  const { generationId } = job;
  const end = JSON.stringify({ type: 'end', seq: 1, choice: 0, text: '', finishReason: 'cancelled', promptTokens: 0, completionTokens: 0, error: null });
  // As the API does, to which a Redis without data says that no runner has it.
  await world.redis.multi().flushall().set(generationFenceKey(generationId), 1).xadd(generationStreamKey(generationId), '1-0', 'd', end).hset(generationRunKey(generationId), 'settlement', '{}').exec();
  await eventually('the run to stop', 5_000, async () => (runners[0]?.engine.load().running === 0 ? true : null));
  expect((await world.events(generationId)).map(({ type }) => type)).toEqual(['end']);
  expect(await world.settlements.getJob(settlementJobId(generationId))).toBeUndefined();
});
