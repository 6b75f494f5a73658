import { generationStreamKey, settlementJobId } from '@aril/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
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

const prompts = Array.from({ length: 6 }, (_, index) => `prompt ${index}`);
const newJobs = () => prompts.map((prompt) => aJob({ input: { kind: 'prompt', prompt }, sampling: { maxTokens: 120 } }));

async function expectWhole(job: ReturnType<typeof newJobs>[number], prompt: string): Promise<void> {
  const expected = expectedOutput({ promptTokens: [...Buffer.from(prompt)], adapter: null, sampling: job.sampling });
  const settlement = await world.settlement(job.generationId);
  expect(settlement).toMatchObject({ text: expected.text, finishReason: 'length', completionTokens: 120 });
  expect(await world.tokens(job.generationId)).toEqual(expected.tokens);
  expect(await world.text(job.generationId)).toBe(expected.text);
}

/** Cuts every connection but the one that says so. */
const cut = (): Promise<unknown> => world.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

describe('connections cut mid-stream', () => {
  it('once: nothing lost, nothing repeated', async () => {
    const { engine } = await start();
    engine.stepMs = 10;
    const jobs = newJobs();
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    for (const job of jobs) await world.untilTokens(job.generationId, 10);
    await cut();
    for (const [index, job] of jobs.entries()) await expectWhole(job, prompts[index] ?? '');
  });

  it('over and over', async () => {
    const { engine } = await start();
    engine.stepMs = 10;
    const jobs = newJobs();
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    const cutting = setInterval(() => void cut(), 250);
    await eventually('all ends', 30_000, async () => {
      const ends = await Promise.all(jobs.map((job) => world.settlements.getJob(settlementJobId(job.generationId))));
      return ends.every(Boolean) ? true : null;
    });
    clearInterval(cutting);
    for (const [index, job] of jobs.entries()) await expectWhole(job, prompts[index] ?? '');
    await world.untilIdle();
  });
});

it('holds new generations back while Redis takes no writes, and goes on afterwards', async () => {
  const { engine } = await start();
  engine.stepMs = 10;
  const jobs = newJobs();
  const [first, ...rest] = jobs;
  if (!first) throw new Error('no job');
  await world.enqueue(first);
  await world.untilTokens(first.generationId, 3);
  // Full: every script that may write is refused, as a Redis at `maxmemory` with `noeviction` does.
  await world.redis.config('SET', 'maxmemory', '1');
  const full = await world.tokens(first.generationId);
  await eventually('a pause', 5000, async () => (engine.load().running === 1 ? true : null));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await world.tokens(first.generationId)).length).toBeLessThanOrEqual(full.length + 2);
  await world.redis.config('SET', 'maxmemory', '0');
  await Promise.all(rest.map((job) => world.enqueue(job)));
  for (const [index, job] of jobs.entries()) await expectWhole(job, prompts[index] ?? '');
  // What piled up became one event instead of many.
  const events = await world.events(first.generationId);
  expect(Math.max(...events.map((event) => (event.type === 'tokens' ? event.tokens.length : 0)))).toBeGreaterThan(5);
});

it('settles after a Redis that was full when the generation ended', async () => {
  const { engine } = await start();
  engine.stepMs = 10;
  const jobs = newJobs();
  await Promise.all(jobs.map((job) => world.enqueue(job)));
  for (const job of jobs) await world.untilTokens(job.generationId, 10);
  await world.redis.config('SET', 'maxmemory', '1');
  await eventually('the ends in the engine', 10_000, async () => (engine.load().running === 0 ? true : null));
  // Longer than a lock, so that jobs stall as well.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await world.redis.config('SET', 'maxmemory', '0');
  for (const [index, job] of jobs.entries()) await expectWhole(job, prompts[index] ?? '');
  await world.untilIdle();
});

it('comes back to its own generation after an outage longer than the lock', async () => {
  const { engine, config } = await start();
  engine.stepMs = 30;
  const job = aJob({ input: { kind: 'prompt', prompt: prompts[0] ?? '' }, sampling: { maxTokens: 120 } });
  await world.enqueue(job);
  await world.untilTokens(job.generationId, 5);
  // The lock is lost while the job runs: what a long outage leaves behind.
  await world.redis.del(`aril:bull:generations.${config.BASE_MODEL_ID}:${job.generationId}:lock`);
  await eventually('the second take', 20_000, async () => (engine.submitted.length > 1 ? true : null));
  await expectWhole(job, prompts[0] ?? '');
  await world.untilIdle();
});

it('stops writing to a stream that was tampered with, and settles nothing wrong', async () => {
  const { engine } = await start();
  engine.stepMs = 20;
  const job = aJob({ sampling: { maxTokens: 1000 } });
  const sound = aJob({ input: { kind: 'prompt', prompt: prompts[0] ?? '' }, sampling: { maxTokens: 120 } });
  await world.enqueue(job);
  await world.enqueue(sound);
  await world.untilTokens(job.generationId, 5);
  await world.redis.xadd(generationStreamKey(job.generationId), '5000-0', 'd', '{}');
  await expectWhole(sound, prompts[0] ?? '');
  expect(await world.settlements.getJob(settlementJobId(job.generationId))).toBeUndefined();
});
