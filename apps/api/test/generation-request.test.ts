import { describe, expect, it } from 'vitest';
import { checkAgainstContext, requestedSamplingSchema, requestHash, type GenerationRequest } from '../src/core/generations/generation-request.js';

const NAMES = {
  target: 'target',
  input: 'input',
  maxTokens: 'maxTokens',
  minTokens: 'minTokens',
  logprobs: 'logprobs',
  idempotencyKey: 'key',
};
const request = (change: Partial<GenerationRequest> = {}, sampling: object = {}): GenerationRequest => ({
  target: 't',
  routingKey: null,
  input: { kind: 'prompt', prompt: 'p' },
  sampling: requestedSamplingSchema.parse(sampling),
  n: 1,
  logprobs: null,
  echo: false,
  constraint: null,
  idempotencyKey: null,
  ...change,
});
const check = (asked: GenerationRequest, contextTokens = 8_192) => () => checkAgainstContext(asked, contextTokens, NAMES);

describe('a request, against its model', () => {
  it('can ask for no more log probabilities than fit in memory', () => {
    const most = request({ n: 4, logprobs: 19 }, { maxTokens: 6_250 });
    expect(check(most)).not.toThrow();
    expect(check({ ...most, n: 5 })).toThrow('logprobs: expected at most 500000 in all (tokens × alternatives), found 625000');
    expect(check({ ...most, n: 16, logprobs: null })).not.toThrow();
  });

  it('has those of an echoed prompt counted too, a text with a token for each byte', () => {
    const echoed = (input: GenerationRequest['input']): GenerationRequest => request({ echo: true, logprobs: 0, input }, { maxTokens: 100 });
    expect(check(echoed({ kind: 'prompt', prompt: 'é'.repeat(249_950) }))).not.toThrow();
    expect(check(echoed({ kind: 'prompt', prompt: 'é'.repeat(249_951) }))).toThrow('found 500002');
    expect(check(request({ logprobs: 0, input: { kind: 'prompt', prompt: 'é'.repeat(249_951) } }))).not.toThrow();
    const tokens = Array.from({ length: 499_901 }, () => 1);
    expect(check(echoed({ kind: 'tokens', tokens }), 1_000_000)).toThrow('found 500001');
  });

  it('can ask for no more tokens at least than at most, its default included', () => {
    expect(check(request({}, { minTokens: 256 }))).not.toThrow();
    expect(check(request({}, { minTokens: 257 }))).toThrow('minTokens: expected at most 256');
    expect(check(request({}, { minTokens: 101 }), 100)).toThrow('minTokens: expected at most 100');
  });
});

it('is the same request whatever its idempotency key and the order of its fields', () => {
  const first = request({ idempotencyKey: 'a' }, { logitBias: { 1: 1, 2: 2 } });
  const { n, ...rest } = request({ idempotencyKey: 'b' }, { logitBias: { 2: 2, 1: 1 } });
  expect(requestHash({ n, ...rest })).toBe(requestHash(first));
  expect(requestHash(request())).not.toBe(requestHash(request({ n: 2 })));
});
