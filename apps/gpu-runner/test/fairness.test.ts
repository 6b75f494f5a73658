import { BACKGROUND_PRIORITY, priorityOf, Transcript, turnOf, turnOfScore, virtualTimeKey, type GenerationJob } from '@aril/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { whyNotRun } from '../src/consumer/why-not-run.js';
import { aJob, BASE_MODEL_ID, eventually, World } from './support/fixtures.js';
import { startScripted, type LocalRunner } from './support/runners.js';

let world: World;
let local: LocalRunner | undefined;
beforeAll(async () => {
  world = await World.create();
});
afterEach(async () => {
  await local?.runner.stop();
  local = undefined;
  await world.redis.flushall();
});
afterAll(() => world.destroy());

/** As the API does for a tenant who sends them all at once. */
async function flood(count: number, change: Partial<GenerationJob> = {}): Promise<GenerationJob[]> {
  const jobs = Array.from({ length: count }, () => aJob({ tenantId: 'f0000000-0000-4000-8000-000000000000', ...change }));
  for (const [index, job] of jobs.entries()) await world.enqueue(job, priorityOf(index * job.n));
  return jobs;
}
const virtualNow = async (): Promise<number> => Number(await world.redis.hget(virtualTimeKey(BASE_MODEL_ID), 'now'));

describe('a flood of one tenant', () => {
  it.each([
    ['many requests', 40, 1],
    ['requests of many choices', 8, 4],
  ])('of %s lets the next of another in at once, and loses nothing', async (_, count, n) => {
    local = await startScripted(world, { MAX_BATCH: '8' });
    const { engine } = local;
    engine.stepMs = 150;
    const jobs = await flood(count, { n });
    const inside = Math.floor(8 / n);
    await eventually('a full engine', 10_000, async () => (engine.submitted.length === inside && (await virtualNow()) > 0) || null);
    const turn = await virtualNow();
    expect(turn).toBe((inside - 1) * n);
    const other = aJob({ tenantId: randomUUID() });
    await world.enqueue(other, priorityOf(turn));
    await world.untilTokens(other.generationId, 1);
    // Nobody had to end for it: a generation takes 40 steps, of several choices the shortest 19.
    expect(engine.submitted).toHaveLength(inside + 1);
    expect(engine.submitted.at(-1)?.cacheSalt).toBe(other.tenantId);
    engine.stepMs = 2;
    for (const job of jobs) expect((await world.settlement(job.generationId)).finishReason).toBe('length');
    expect(engine.submitted.slice(inside + 1).map(({ cacheSalt }) => cacheSalt)).toEqual(jobs.slice(inside).map(({ tenantId }) => tenantId));
    await world.untilIdle();
  }, 60_000);

  it('has no more jobs taken than a little above the slots', async () => {
    local = await startScripted(world, { MAX_BATCH: '8' });
    local.engine.stepMs = 50;
    await flood(30);
    await eventually('a full engine', 10_000, async () => local?.engine.submitted.length === 8 || null);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await world.jobs.getJobCounts('active'))['active']).toBeLessThanOrEqual(12);
  });
});

it('is not taken for a killer of runners when it was handed back often', () => {
  const job = aJob();
  const taken = { fence: 200, cancelled: false, handedBack: 199, takenAtMs: 0, firstTokenAtMs: null, settlementJson: null, events: [], entries: [] };
  expect(whyNotRun(job, BASE_MODEL_ID, taken, new Transcript(1))).toBeNull();
  expect(whyNotRun(job, BASE_MODEL_ID, { ...taken, handedBack: 180 }, new Transcript(1))).toBeNull();
  expect(whyNotRun(job, BASE_MODEL_ID, { ...taken, handedBack: 179 }, new Transcript(1))).toMatchObject({ code: 'RUNNER_LOST' });
});

it('turns are priorities of BullMQ, which has an end of them, before the background', () => {
  expect([0, 5, 3_000_000].map(priorityOf)).toEqual([1, 6, BACKGROUND_PRIORITY - 1]);
  expect(BACKGROUND_PRIORITY).toBe(2_097_151);
  expect([0, 1, 6].map(turnOf)).toEqual([0, 0, 5]);
  expect(turnOfScore(6 * 2 ** 32 + 77)).toBe(5);
});
