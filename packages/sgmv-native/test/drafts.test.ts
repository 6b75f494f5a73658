/** Tokens that are guessed and verified several at once are the ones that come one by one, to the bit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { ModelTokenizer, type Constraint, type GenerationRequest } from '../lib/index.js';
import { stories, storiesAdapter } from './places.js';
import { Random } from './random.js';
import { Recorder, type Recording } from './recorder.js';

type Plan = Omit<GenerationRequest, 'id'>;

describe('drafts on a model that tells stories', () => {
  let plain: Recorder;
  let drafting: Recorder;
  let tokenizer: ModelTokenizer;
  beforeAll(async () => {
    tokenizer = await ModelTokenizer.load(stories);
    const vocabulary = tokenizer.vocabulary();
    plain = await Recorder.open({ model: stories, vocabulary, draftTokens: 0 });
    drafting = await Recorder.open({ model: stories, vocabulary, draftTokens: 12, kvBlockSize: 8, maxStepTokens: 64, threads: 2 });
    for (const { engine } of [plain, drafting]) await engine.loadAdapter('a', storiesAdapter('a'));
  });
  afterAll(async () => {
    expect(await plain.close()).toEqual([]);
    expect(await drafting.close()).toEqual([]);
  });

  const bits = ({ logits }: Recording): string[] => logits.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64'));
  const shown = (whole: Recording) => {
    const { tokens, pieces, text, logprobs, end } = whole;
    const { finishReason, stop, completionTokens, error } = end;
    return { tokens, pieces, text, logprobs, logits: bits(whole), finishReason, stop, completionTokens, error };
  };

  function planOf(random: Random): Plan {
    const often = (part: number): boolean => random.next() < part;
    const prompt = random.pick(['Once upon a time', 'Tim had a red ball. Tim had a red', 'Lily said, "Yes". Mom said, "Yes"', 'The']);
    return {
      promptTokens: tokenizer.encode(prompt),
      maxTokens: random.between(1, 90),
      n: often(0.2) ? 2 : 1,
      adapter: often(0.4) ? 'a' : undefined,
      ignoreEos: often(0.5),
      stop: often(0.3) ? [random.pick([' day', '. ', 'ou', 'Lily'])] : [],
      logprobs: often(0.3) ? 2 : undefined,
      logits: often(0.3) ? 'last' : 'none',
      sampling: {
        temperature: random.pick([0, 0, 0.4, 1.2]),
        topP: random.pick([1, 0.9]),
        seed: random.below(1e9),
        frequencyPenalty: often(0.2) ? 0.5 : 0,
        repetitionPenalty: often(0.2) ? 1.2 : 1,
        minTokens: often(0.2) ? 10 : 0,
      },
    };
  }

  test('any mix of requests', async () => {
    const property = fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 6 }), async (seed, count) => {
      const random = new Random(seed);
      const plans = Array.from({ length: count }, () => planOf(random));
      const expected = await Promise.all(plans.map((plan) => plain.start(plan).choices));
      const predicted = plans.map((plan, i) => ({ ...plan, predictionTokens: expected[i]![0]!.tokens.filter(() => random.next() < 0.93) }));
      const found = await Promise.all(predicted.map((plan) => drafting.start(plan).choices));
      expect(found.map((choices) => choices.map(shown))).toEqual(expected.map((choices) => choices.map(shown)));
    });
    await fc.assert(property, { numRuns: 25 });
    const { draftedTokens, acceptedTokens } = drafting.engine.stats();
    expect(acceptedTokens).toBeGreaterThan(200);
    expect(draftedTokens).toBeGreaterThan(acceptedTokens);
    expect(plain.engine.stats().draftedTokens).toBe(0);
  });

  test('what of a prediction came true is the same with and without drafts, and after a resumption', async () => {
    const plan: Plan = { promptTokens: tokenizer.encode('Once upon a time'), maxTokens: 60, ignoreEos: true };
    const { tokens } = await plain.start(plan).whole;
    const predictionTokens = [...tokens.slice(0, 20), 5, 6, ...tokens.slice(22, 40)];
    const counts = [];
    for (const recorder of [plain, drafting])
      for (const known of [0, 13, 30])
        counts.push((await recorder.start({ ...plan, predictionTokens, resumeTokens: tokens.slice(0, known) }).whole).end.predictedTokens);
    expect(new Set(counts).size).toBe(1);
    expect(counts[0]).toBeGreaterThanOrEqual(36);
    expect(counts[0]).toBeLessThanOrEqual(40);
  });

  test('under any constraint', async () => {
    const item = { type: 'object', properties: { colour_of_the_ball: { enum: ['red', 'green', 'blue'] }, is_big: { type: 'boolean' } }, required: ['colour_of_the_ball', 'is_big'], additionalProperties: false };
    const constraints: Constraint[] = [
      { type: 'regex', pattern: '( a b c d)+' },
      { type: 'regex', pattern: '(Tim|Tom|Lily) (had|saw) a (red|big) (ball|bird)\\.' },
      { type: 'json' },
      { type: 'jsonSchema', schema: { type: 'object', properties: { name_of_the_friend: { type: 'string', maxLength: 12 }, all_that_they_found: { type: 'array', items: item, maxItems: 3 }, ßtraße: { const: 'schön und groß' } }, required: ['name_of_the_friend', 'all_that_they_found', 'ßtraße'], additionalProperties: false } },
      { type: 'grammar', grammar: 'root ::= "Once upon a time, " ("there was" | "there lived") " a " [a-z]+ " who said: \\"" [^"]* "\\""' },
      { type: 'calls', schema: { $defs: { give_a_present: item } }, functions: ['give_a_present'], required: true, parallel: true },
    ];
    const before = drafting.engine.stats();
    const property = fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 4 }), async (seed, count) => {
      const random = new Random(seed);
      const plans = Array.from({ length: count }, () => ({ ...planOf(random), ignoreEos: false, constraint: random.pick(constraints) }));
      const expected = await Promise.all(plans.map((plan) => plain.start(plan).choices));
      const predicted = plans.map((plan, i) => ({
        ...plan,
        predictionTokens: random.pick([[], expected[i]![0]!.tokens.filter(() => random.next() < 0.93)]),
      }));
      const found = await Promise.all(predicted.map((plan) => drafting.start(plan).choices));
      expect(found.map((choices) => choices.map(shown))).toEqual(expected.map((choices) => choices.map(shown)));
    });
    await fc.assert(property, { numRuns: 40 });
    const { draftedTokens, acceptedTokens } = drafting.engine.stats();
    expect(acceptedTokens - before.acceptedTokens).toBeGreaterThan(200);
    expect(draftedTokens - before.draftedTokens).toBeGreaterThan(acceptedTokens - before.acceptedTokens);
    expect(plain.engine.stats().draftedTokens).toBe(0);
  });

  test('what a constraint forces is computed in few steps', async () => {
    const pattern = 'The little dog and the big cat went to the park to play with the ball all day';
    const plan: Plan = { promptTokens: tokenizer.encode('Once'), maxTokens: 90, constraint: { type: 'regex', pattern } };
    const before = drafting.engine.stats();
    const { text, end } = await drafting.start(plan).whole;
    expect([text, end.finishReason]).toEqual([pattern, 'stop']);
    expect(drafting.engine.stats().acceptedTokens - before.acceptedTokens).toBeGreaterThan(end.completionTokens / 4);
  });

  test('a resumption under a constraint goes on where it was', async () => {
    const constraint: Constraint = { type: 'regex', pattern: '[A-Z][a-z ,.]{30} and the end of it all has come at last' };
    const plan: Plan = { promptTokens: tokenizer.encode('Once'), maxTokens: 90, constraint, sampling: { temperature: 0.7, seed: 3 } };
    const { tokens, text } = await plain.start(plan).whole;
    for (const known of [1, 9, 25, tokens.length - 1]) {
      const rest = await drafting.start({ ...plan, resumeTokens: tokens.slice(0, known) }).whole;
      expect(rest.tokens).toEqual(tokens.slice(known));
      expect(text.endsWith(rest.text)).toBe(true);
    }
  });
});
