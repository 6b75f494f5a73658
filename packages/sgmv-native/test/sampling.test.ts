/** Choices, penalties, log-probabilities and the prefix cache, on a model that tells stories. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelTokenizer, type GenerationRequest, type SamplingOptions } from '../lib/index.js';
import { stories, storiesAdapter } from './places.js';
import { Recorder } from './recorder.js';

let recorder: Recorder;
let tokenizer: ModelTokenizer;
let prompt: number[];
beforeAll(async () => {
  tokenizer = await ModelTokenizer.load(stories);
  prompt = Array.from(
    tokenizer.encode('Once upon a time there was a girl named Lily. She', { addSpecialTokens: true }),
  );
  recorder = await Recorder.open({ model: stories, vocabulary: tokenizer.vocabulary() });
});
afterAll(async () => expect(await recorder.close()).toEqual([]));

const request = (sampling: Partial<SamplingOptions> = {}): Omit<GenerationRequest, 'id'> => ({
  promptTokens: prompt,
  maxTokens: 24,
  ignoreEos: true,
  sampling,
});

describe('choices', () => {
  const many = () => ({ ...request({ temperature: 1, seed: 11 }), n: 5 });

  test('each is what its derived seed gives alone; they differ', async () => {
    const all = await recorder.start(many()).choices;
    expect(new Set(all.map(({ text }) => text)).size).toBe(5);
    for (const [choice, { tokens, text, end }] of all.entries()) {
      const seed = (11 + choice * 0x9e37_79b9) % 2 ** 32;
      const alone = await recorder.run(request({ temperature: 1, seed }));
      expect({ tokens, text }).toEqual({ tokens: alone.tokens, text: alone.text });
      expect(end).toMatchObject({ choice, promptTokens: prompt.length, completionTokens: 24 });
    }
  });

  test('resumed, each from its own tokens', async () => {
    const all = await recorder.start(many()).choices;
    const resumeTokens = all.map(({ tokens }, choice) => tokens.slice(0, choice * 6));
    const rest = await recorder.start({ ...many(), resumeTokens }).choices;
    expect(rest.map(({ tokens }) => tokens)).toEqual(
      all.map(({ tokens }, choice) => tokens.slice(choice * 6)),
    );
  });

  test('cancelled together', async () => {
    const started = recorder.start({ ...many(), maxTokens: 400 });
    await recorder.tokensOf(started.id, 2);
    recorder.engine.cancel(started.id);
    const ends = (await started.choices).map(({ end }) => end.finishReason);
    expect(ends).toEqual(new Array(5).fill('cancelled'));
  });
});

describe('adjustments', () => {
  const count = (tokens: number[]): number => tokens.length - new Set(tokens).size;

  test('penalties make repetition rarer, in greedy generation too', async () => {
    const long = { ...request(), maxTokens: 120 };
    const plain = await recorder.run(long);
    for (const sampling of [{ repetitionPenalty: 1.5 }, { frequencyPenalty: 2 }, { presencePenalty: 2 }]) {
      const { tokens } = await recorder.run({ ...long, sampling });
      expect(count(tokens)).toBeLessThan(count(plain.tokens));
    }
  });

  test('a bias forbids and forces', async () => {
    const plain = await recorder.run(request());
    const first = plain.tokens[0]!;
    const without = await recorder.run(request({ logitBias: { [first]: -100 } }));
    expect(without.tokens).not.toContain(first);
    const forced = await recorder.run(request({ logitBias: { 300: 100 } }));
    expect(new Set(forced.tokens)).toEqual(new Set([300]));
  });

  test('no end before the minimum', async () => {
    const ending = {
      ...request(),
      ignoreEos: false,
      stopTokens: (await recorder.run(request())).tokens.slice(3, 4),
    };
    expect((await recorder.run(ending)).tokens.length).toBeLessThanOrEqual(4);
    const longer = await recorder.run({ ...ending, sampling: { minTokens: 10 } });
    expect(longer.tokens.length).toBeGreaterThan(10);
  });
});

describe('logprobs', () => {
  test('are the log-softmax of the logits the model gave', async () => {
    const { tokens, logits, logprobs } = await recorder.run({
      ...request({ temperature: 1.5, presencePenalty: 1, logitBias: { 9: 4 } }),
      logits: 'last',
      logprobs: 3,
    });
    expect(logprobs.map(({ token }) => token)).toEqual(tokens);
    for (const [step, { token, logprob, top }] of logprobs.entries()) {
      const row = Array.from(logits[step]!);
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      const best = row.map((logit, id) => ({ id, logit })).sort((a, b) => b.logit - a.logit || a.id - b.id);
      expect(top.map((one) => one.token)).toEqual(best.slice(0, 3).map(({ id }) => id));
      for (const one of [{ token, logprob }, ...top])
        expect(one.logprob).toBeCloseTo(row[one.token]! - total, 4);
    }
  });

  test('of the prompt are those of its logits, and come before all else', async () => {
    const { promptLogits, promptLogprobs, logprobs } = await recorder.run({ ...request(), logits: 'prompt', promptLogprobs: 2 });
    const vocabulary = promptLogits!.length / prompt.length;
    expect(promptLogprobs!.map(({ token }) => token)).toEqual([...prompt].slice(1));
    for (const [position, { token, logprob, top }] of promptLogprobs!.entries()) {
      const row = Array.from(promptLogits!.subarray(position * vocabulary, (position + 1) * vocabulary));
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      const best = row.map((logit, id) => ({ id, logit })).sort((a, b) => b.logit - a.logit || a.id - b.id);
      expect(top.map((one) => one.token)).toEqual(best.slice(0, 2).map(({ id }) => id));
      expect(logprob).toBeCloseTo(row[token]! - total, 4);
    }
    expect(logprobs).toEqual([]);
    expect((await recorder.run(request())).promptLogprobs).toBeUndefined();
  });

  test('come with every choice, alone with 0, and not unasked', async () => {
    const all = await recorder.start({ ...request({ temperature: 1 }), n: 2, logprobs: 0 }).choices;
    for (const { logprobs } of all) {
      expect(logprobs).toHaveLength(24);
      expect(logprobs.every(({ top }) => top.length === 0)).toBe(true);
    }
    expect((await recorder.run(request())).logprobs).toEqual([]);
  });
});

describe('prefix cache', () => {
  test('finds what was computed before, for the same salt and adapter, and changes no logit', async () => {
    const engine = await Recorder.open({ model: stories, kvBlockSize: 4 });
    await engine.engine.loadAdapter('a', storiesAdapter('a'));
    const run = (changes: Partial<GenerationRequest> = {}) =>
      engine.run({ ...request(), logits: 'last', ...changes });
    const full = prompt.length - 1 - ((prompt.length - 1) % 4);
    const first = await run();
    const again = await run();
    expect([first.end.cachedTokens, again.end.cachedTokens]).toEqual([0, full]);
    expect(again.logits).toEqual(first.logits);
    expect(engine.engine.stats()).toMatchObject({
      prefixQueriedTokens: 2 * prompt.length,
      prefixHitTokens: full,
    });
    for (const changes of [
      { cacheSalt: 'tenant' },
      { adapter: 'a' },
      { cacheSalt: 'tenant', adapter: 'a' },
    ]) {
      const cold = await run(changes);
      const warm = await run(changes);
      expect([cold.end.cachedTokens, warm.end.cachedTokens]).toEqual([0, full]);
      expect(warm.logits).toEqual(cold.logits);
    }
    const { kvBlocksFree, kvBlocksCached, kvBlocksTotal, ttftMs, queueMs } = engine.engine.stats();
    expect(kvBlocksFree).toBe(kvBlocksTotal);
    expect(kvBlocksCached).toBeGreaterThan(4);
    expect(ttftMs).toBeGreaterThanOrEqual(queueMs);
    expect(await engine.close()).toEqual([]);
  });

  test('choices share the blocks of the prompt: copies change no logit', async () => {
    const engine = await Recorder.open({ model: stories, kvBlockSize: 4, prefixCache: false });
    const many = { ...request({ temperature: 1, seed: 5 }), logits: 'last', n: 4 } as const;
    const all = await engine.start(many).choices;
    for (const [choice, { logits }] of all.entries()) {
      const seed = (5 + choice * 0x9e37_79b9) % 2 ** 32;
      const alone = await engine.run({ ...request({ temperature: 1, seed }), logits: 'last' });
      expect(logits).toEqual(alone.logits);
    }
    expect(engine.engine.stats()).toMatchObject({ kvBlocksCached: 0, prefixQueriedTokens: 0 });
    expect(await engine.close()).toEqual([]);
  });
});
