/** Text: stop strings across tokens, characters across tokens, resuming anywhere. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { ModelTokenizer } from '../lib/index.js';
import { goldenFolder, stories, storiesAdapter } from './places.js';
import { Random } from './random.js';
import { Recorder, type Recording } from './recorder.js';

const PIECES = ['a', 'b', 'ab', ' ', '€', '😀', 'é', '\n'].map((text) => Buffer.from(text));
/** Bytes that are whole only together, or never. */
const SHARDS = [[0xe2, 0x82], [0xac], [0xf0, 0x9f], [0x98, 0x80], [0xff], [0xc3], [0xa9]].map((bytes) =>
  Uint8Array.from(bytes),
);

describe('a vocabulary of awkward pieces', () => {
  let recorder: Recorder;
  const table = Array.from({ length: 128 }, (_, id) =>
    id === 100 ? null : ([...PIECES, ...SHARDS][id % 15] as Uint8Array),
  );
  const bytesOf = (tokens: number[]): Buffer =>
    Buffer.concat(tokens.map((token) => table[token] ?? new Uint8Array()));
  beforeAll(async () => {
    recorder = await Recorder.open({ model: join(goldenFolder('llama2'), 'model'), vocabulary: table });
  });
  afterAll(async () => expect(await recorder.close()).toEqual([]));

  const sampled = (seed: number) => ({
    promptTokens: [1, 2, 3],
    maxTokens: 60,
    ignoreEos: true,
    sampling: { temperature: 2, seed },
  });

  test('text is what TextDecoder makes of the bytes, released in whole characters', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { tokens, text, pieces } = await recorder.run(sampled(seed));
      expect(text).toBe(new TextDecoder().decode(bytesOf(tokens)));
      for (const piece of pieces) expect(Buffer.from(piece).toString()).toBe(piece);
      expect(pieces).toHaveLength(tokens.length + 1);
    }
  });

  test('a stop string ends the text before it, wherever tokens cut it', async () => {
    let stopped = 0;
    for (let seed = 0; seed < 60; seed++) {
      const whole = await recorder.run(sampled(seed));
      const random = new Random(seed);
      const characters = [...whole.text];
      const from = random.below(characters.length - 4);
      const stop = characters.slice(from, from + random.between(1, 4)).join('');
      const cut = await recorder.run({ ...sampled(seed), stop: [stop, 'never seen'] });
      expect(cut.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
      expect(cut.tokens).toEqual(whole.tokens.slice(0, cut.tokens.length));
      // A stop of replacement characters may only be known at the end, when nothing more can complete them.
      if (cut.end.finishReason !== 'stop') continue;
      stopped++;
      expect(cut.end.stop).toBe(stop);
    }
    expect(stopped).toBeGreaterThan(50);
  });
});

describe('stories260k', () => {
  let recorder: Recorder;
  let tokenizer: ModelTokenizer;
  beforeAll(async () => {
    tokenizer = await ModelTokenizer.load(stories);
    recorder = await Recorder.open({ model: stories, vocabulary: tokenizer.vocabulary() });
    await recorder.engine.loadAdapter('a', storiesAdapter('a'));
    await recorder.engine.loadAdapter('b', storiesAdapter('b'));
  });
  afterAll(async () => expect(await recorder.close()).toEqual([]));

  test('tells a story', async () => {
    const { text, end } = await recorder.run({
      promptTokens: tokenizer.encode('Once upon a time'),
      maxTokens: 40,
    });
    expect(text).toMatch(/^, there was a /);
    expect(end).toMatchObject({ finishReason: 'length', completionTokens: 40 });
  });

  test('two adapters and the base model differ', async () => {
    const promptTokens = tokenizer.encode('Once upon a time');
    const texts = await Promise.all(
      [undefined, 'a', 'b'].map(
        async (adapter) => (await recorder.run({ promptTokens, adapter, maxTokens: 30 })).text,
      ),
    );
    expect(new Set(texts).size).toBe(3);
  });

  test.each([
    ['greedy', {}, [] as string[], undefined],
    ['greedy with an adapter and a stop string', {}, [' big', 'ed to'], 'a'],
    ['sampled', { temperature: 1, topP: 0.9, seed: 5 }, [], 'b'],
    [
      'sampled with stop strings',
      { temperature: 0.8, topK: 40, minP: 0.02, seed: 9 },
      ['. ', 'She'],
      undefined,
    ],
  ])('resumed after any token, %s goes on as if uninterrupted', async (_, sampling, stop, adapter) => {
    const request = {
      promptTokens: tokenizer.encode('Lily and Tom'),
      maxTokens: 48,
      sampling,
      stop,
      adapter,
    };
    const whole = await recorder.run(request);
    const cuts = Array.from({ length: whole.tokens.length + 1 }, (_, cut) => cut);
    const resumed = await Promise.all(
      cuts.map((cut) => recorder.run({ ...request, resumeTokens: whole.tokens.slice(0, cut) })),
    );
    for (const [cut, { tokens, pieces, end }] of resumed.entries()) {
      expect(tokens).toEqual(whole.tokens.slice(cut));
      expect(pieces).toEqual(whole.pieces.slice(cut));
      expect(end).toEqual({ ...whole.end, id: end.id, cachedTokens: end.cachedTokens });
    }
  });

  test('seeds: the same one repeats, others differ, and none is a seed of its own', async () => {
    const promptTokens = tokenizer.encode('The dog');
    const draw = async (seed?: number): Promise<string> =>
      (await recorder.run({ promptTokens, maxTokens: 30, sampling: { temperature: 1.2, seed } })).text;
    const [first, again, ...others] = await Promise.all([draw(1), draw(1), draw(2), draw(4294967295)]);
    expect(again).toBe(first);
    expect(new Set([first, ...others]).size).toBe(3);
  });

  test('tokens and prompts as typed arrays and as plain arrays are the same', async () => {
    const promptTokens = tokenizer.encode('One day');
    const plain: Recording = await recorder.run({ promptTokens, maxTokens: 10 });
    const typed = await recorder.run({ promptTokens: Int32Array.from(promptTokens), maxTokens: 10 });
    expect(typed.text).toBe(plain.text);
  });
});
