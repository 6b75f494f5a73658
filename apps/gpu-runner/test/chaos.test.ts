import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aJob, World } from './support/fixtures.js';
import { RunnerProcess } from './support/runners.js';
import { expectedOutput } from './support/scripted-engine.js';

let world: World;
const processes = new Set<RunnerProcess>();
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => {
  await Promise.all([...processes].map((process) => process.kill()));
  await world.destroy();
});

/** Numbers that look random and are the same in every run, so that a failure can be repeated. */
function* sequence(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

async function startOne(): Promise<void> {
  processes.add(await RunnerProcess.start(world, 'scripted', { STEP_MS: '15', DRAIN_TIMEOUT_S: '0.2', MAX_BATCH: '8' }));
}

async function disturb(random: Generator<number, never>): Promise<void> {
  const victims = [...processes];
  const victim = victims[Math.floor(random.next().value * victims.length)];
  if (!victim) throw new Error('no runner left');
  const choice = random.next().value;
  if (choice < 0.3) {
    processes.delete(victim);
    await victim.kill();
    await startOne();
  } else if (choice < 0.5) {
    processes.delete(victim);
    victim.signal('SIGTERM');
    await victim.exited();
    await startOne();
  } else if (choice < 0.75) {
    victim.signal('SIGSTOP');
    await delay(2500);
    victim.signal('SIGCONT');
  } else {
    await world.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  }
}

it('gives every generation whole and once, whatever happens to three runners', async () => {
  const random = sequence(7);
  for (let count = 0; count < 3; count++) await startOne();
  const adapter = await world.putAdapter({ r: 8 }, Buffer.from('weights'));
  const jobs = Array.from({ length: 40 }, (_, index) =>
    aJob({
      adapter: index % 2 ? adapter : null,
      input: { kind: 'prompt', prompt: `prompt ${index}` },
      sampling: { maxTokens: 100 + index * 15, temperature: index % 3, seed: index },
    }),
  );
  await Promise.all(jobs.map((job) => world.enqueue(job)));
  for (let disturbances = 0; disturbances < 12; disturbances++) await disturb(random);

  for (const [index, job] of jobs.entries()) {
    const promptTokens = [...Buffer.from(`prompt ${index}`)];
    const expected = expectedOutput({ promptTokens, adapter: job.adapter?.sha256 ?? null, sampling: job.sampling });
    const settlement = await world.settlement(job.generationId, 60_000);
    expect(settlement).toMatchObject({ text: expected.text, finishReason: 'length', completionTokens: expected.tokens.length, error: null });
    expect(await world.tokens(job.generationId)).toEqual(expected.tokens);
    expect(await world.text(job.generationId)).toBe(expected.text);
  }
  await world.untilIdle();
}, 180_000);
