/** A request gives the same tokens and the same logits, bit for bit, alone and among up to 63 others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { join } from 'node:path';
import { cpuInfo, type GenerationRequest } from '../lib/index.js';
import { goldenFolder, stories, storiesAdapter } from './places.js';
import { Random } from './random.js';
import { Recorder, type Recording } from './recorder.js';

const KINDS = ['all-r8', 'rs-r32', 'o-r3', 'qv-r4', 'pattern', 'layers'];
type Plan = Omit<GenerationRequest, 'id'>;

function plans(seed: number, count: number, vocabulary: number, adapters: string[]): Plan[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => ({
    promptTokens: random.tokens(random.between(1, 90), vocabulary),
    maxTokens: random.between(1, 24),
    adapter: random.pick([undefined, ...adapters]),
    ignoreEos: random.next() < 0.5,
    sampling:
      random.next() < 0.5
        ? {}
        : { temperature: 0.9, topP: 0.95, topK: random.below(30), seed: random.below(1e9) },
    logits: 'last' as const,
  }));
}

const bits = (rows: Float32Array[]): string =>
  rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64')).join();

function expectSame(found: Recording, alone: Recording): void {
  expect(found.tokens).toEqual(alone.tokens);
  expect(bits(found.logits) === bits(alone.logits)).toBe(true);
  expect(found.end.finishReason).toBe(alone.end.finishReason);
}

describe.each(cpuInfo().isas)('llama2, %s', (isa) => {
  let alone: Recorder;
  let together: Recorder;
  beforeAll(async () => {
    const model = join(goldenFolder('llama2'), 'model');
    // Other threads, block and step sizes on purpose: nothing may depend on them.
    alone = await Recorder.open({ model, isa, threads: 1, kvBlockSize: 16, maxStepTokens: 4096 });
    together = await Recorder.open({ model, isa, threads: 3, kvBlockSize: 8, maxStepTokens: 96 });
    for (const kind of KINDS)
      for (const { engine } of [alone, together])
        await engine.loadAdapter(kind, join(goldenFolder('llama2'), 'adapters', kind));
  });
  afterAll(async () => {
    expect(await alone.close()).toEqual([]);
    expect(await together.close()).toEqual([]);
  });

  test('random mixes of up to 64', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 31 }),
      fc.integer({ min: 2, max: 64 }),
      async (seed, count) => {
        const all = plans(seed, count, 128, KINDS);
        const expected: Recording[] = [];
        for (const plan of all) expected.push(await alone.run(plan));
        const found = await Promise.all(all.map((plan) => together.run(plan)));
        found.forEach((one, i) => expectSame(one, expected[i] as Recording));
      },
    );
    await fc.assert(property, { numRuns: 6, seed: 20 });
  });

  test('a full batch of 64, logits of all prompt positions too', async () => {
    const all = plans(1, 64, 128, KINDS).map((plan) => ({ ...plan, logits: 'prompt' as const }));
    const found = await Promise.all(all.map((plan) => together.run(plan)));
    for (const [i, plan] of all.entries()) {
      const expected = await alone.run(plan);
      expect(found[i]?.tokens).toEqual(expected.tokens);
      expect(found[i]?.promptLogits).toHaveLength(plan.promptTokens.length * 128);
      expect(
        bits([found[i]?.promptLogits as Float32Array]) === bits([expected.promptLogits as Float32Array]),
      ).toBe(true);
    }
  });
});

test('a cache far too small: preempted requests give the same tokens and logits', async () => {
  const model = stories;
  const alone = await Recorder.open({ model });
  const tight = await Recorder.open({
    model,
    kvBlockSize: 4,
    maxBatch: 12,
    maxStepTokens: 40,
    kvBytes: 700_000,
  });
  for (const { engine } of [alone, tight]) {
    await engine.loadAdapter('a', storiesAdapter('a'));
    await engine.loadAdapter('b', storiesAdapter('b'));
  }
  const positions = tight.engine.stats().kvBlocksTotal * 4;
  const all = plans(5, 40, 512, ['a', 'b']).map((plan) => ({ ...plan, ignoreEos: true, maxTokens: 60 }));
  expect(positions).toBeGreaterThan(150);
  expect(positions).toBeLessThan(12 * 60);
  const found = await Promise.all(all.map((plan) => tight.run(plan)));
  for (const [i, plan] of all.entries()) expectSame(found[i] as Recording, await alone.run(plan));
  expect(tight.engine.stats().preemptions).toBeGreaterThan(5);
  expect(await tight.close()).toEqual([]);
  expect(await alone.close()).toEqual([]);
});
