import { describe, expect, it } from 'vitest';
import {
  constraintSchema,
  generationEventSchema,
  generationJobSchema,
  runnerHeartbeatSchema,
  samplingSchema,
  settlementSchema,
  type GenerationJob,
} from '../src/index.js';

const hash = 'a'.repeat(64);
const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
const file = (name: 'adapter_config.json' | 'adapter_model.safetensors') => ({ name, key: `k/${name}`, sha256: hash, bytes: 1 });
const job: GenerationJob = {
  version: 1,
  generationId: id,
  tenantId: id,
  baseModelId: 'm',
  adapter: { sha256: hash, files: [file('adapter_config.json'), file('adapter_model.safetensors')] },
  input: { kind: 'messages', messages: [{ role: 'user', content: 'hi' }] },
  sampling: samplingSchema.parse({ seed: 1, maxTokens: 1 }),
  n: 2,
  logprobs: 5,
  echo: true,
  constraint: { type: 'jsonSchema', schema: { type: 'object' } },
  background: true,
  enqueuedAtMs: 1,
  deadlineMs: 2,
};

const pathsOf = (value: unknown): string[] => generationJobSchema.safeParse(value).error?.issues.map((issue) => issue.path.join('.')) ?? [];

describe('generation job', () => {
  it('survives JSON, which is how it travels', () => {
    expect(generationJobSchema.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
  });

  it.each([
    ['version', { ...job, version: 2 }],
    ['generationId', { ...job, generationId: 'not-a-uuid' }],
    ['adapter.sha256', { ...job, adapter: { ...job.adapter, sha256: hash.toUpperCase() } }],
    ['adapter.files', { ...job, adapter: { sha256: hash, files: [file('adapter_config.json')] } }],
    ['input.messages', { ...job, input: { kind: 'messages', messages: [] } }],
    ['input.tokens.0', { ...job, input: { kind: 'tokens', tokens: [-1] } }],
    ['input.kind', { ...job, input: { kind: 'audio' } }],
    ['sampling.maxTokens', { ...job, sampling: { ...job.sampling, maxTokens: -1 } }],
    ['deadlineMs', { ...job, deadlineMs: 1.5 }],
    ['n', { ...job, n: 17 }],
    ['n', { ...job, n: 0 }],
    ['logprobs', { ...job, logprobs: 21 }],
    ['constraint.pattern', { ...job, constraint: { type: 'regex', pattern: '' } }],
    ['constraint.type', { ...job, constraint: { type: 'choice' } }],
  ])('names %s as the field at fault', (path, value) => {
    expect(pathsOf(value)).toEqual([path]);
  });

  it('of an API that does not know them yet asks for one choice without extras', () => {
    const { n: _n, logprobs: _logprobs, echo: _echo, constraint: _constraint, background: _background, ...older } = job;
    expect(generationJobSchema.parse(older)).toEqual({ ...job, n: 1, logprobs: null, echo: false, constraint: null, background: false });
  });
});

describe('constraint', () => {
  const nested = (levels: number): unknown => (levels === 0 ? {} : { properties: nested(levels - 1) });

  it.each([
    [{ type: 'json' }],
    [{ type: 'jsonSchema', schema: nested(64) }],
    [{ type: 'regex', pattern: '[a-z]+' }],
    [{ type: 'grammar', grammar: 'root ::= "a"' }],
  ])('takes %j', (constraint) => {
    expect(constraintSchema.parse(constraint)).toEqual(constraint);
  });

  it.each([
    ['64 levels', { type: 'jsonSchema', schema: nested(65) }],
    ['64 levels', { type: 'jsonSchema', schema: nested(3_000) }],
    ['65536 characters', { type: 'jsonSchema', schema: { title: 'x'.repeat(70_000) } }],
    ['65536 characters', { type: 'regex', pattern: 'x'.repeat(65_537) }],
    ['record', { type: 'jsonSchema', schema: 'true' }],
  ])('refuses more than %s', (words, constraint) => {
    expect(constraintSchema.safeParse(constraint).error?.issues[0]?.message).toContain(words);
  });
});

describe('sampling', () => {
  it('has defaults for everything but seed and length', () => {
    expect(samplingSchema.parse({ seed: 7, maxTokens: 3 })).toEqual({
      temperature: 1,
      topP: 1,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: {},
      seed: 7,
      maxTokens: 3,
      minTokens: 0,
      stop: [],
      stopTokens: [],
      ignoreEos: false,
    });
  });

  it.each([
    { temperature: 2.1 },
    { temperature: -1 },
    { topP: 0 },
    { topP: 1.01 },
    { topK: -1 },
    { minP: 2 },
    { seed: 2 ** 32 },
    { seed: -1 },
    { maxTokens: 1.5 },
    { stop: [''] },
    { stop: Array.from({ length: 9 }, () => 'x') },
    { temperature: Number.NaN },
    { repetitionPenalty: 0 },
    { repetitionPenalty: 2.1 },
    { frequencyPenalty: -2.1 },
    { presencePenalty: 2.1 },
    { minTokens: -1 },
    { logitBias: { 5: 101 } },
    { logitBias: { five: 1 } },
    { logitBias: Object.fromEntries(Array.from({ length: 301 }, (_, id) => [id, 1])) },
  ])('refuses %j', (change) => {
    expect(samplingSchema.safeParse({ seed: 1, maxTokens: 1, ...change }).success).toBe(false);
  });
});

describe('stream events', () => {
  it('are told apart by type', () => {
    const scored = { token: 1, text: 'a', bytes: [97], logprob: -0.5 };
    const tokens = { type: 'tokens', seq: 1, choice: 1, tokens: [1], text: 'a', logprobs: [{ ...scored, top: [scored] }] };
    const choiceEnd = { type: 'choiceEnd', seq: 2, choice: 1, text: '', finishReason: 'stop' };
    const counts = { promptTokens: 1, cachedTokens: 1, completionTokens: 2 };
    const end = { type: 'end', seq: 3, choice: 0, text: '', finishReason: 'stop', ...counts, error: null };
    for (const event of [tokens, choiceEnd, end]) expect(generationEventSchema.parse(event)).toEqual(event);
    expect(generationEventSchema.safeParse({ ...end, error: { code: 'NO_SUCH_CODE', message: '' } }).success).toBe(false);
    expect(generationEventSchema.safeParse({ ...tokens, seq: 0 }).success).toBe(false);
  });
});

describe('settlement and heartbeat', () => {
  const settlement = {
    version: 1,
    generationId: id,
    tenantId: id,
    runnerId: 'r',
    fence: 1,
    text: 'a',
    finishReason: 'error',
    choices: [
      { text: 'a', finishReason: 'error', completionTokens: 0 },
      { text: '', finishReason: 'stop', completionTokens: 0 },
    ],
    promptTokens: 1,
    cachedTokens: 0,
    completionTokens: 0,
    error: { code: 'OUT_OF_MEMORY', message: 'm' },
    timings: { queueMs: 0, ttftMs: null, totalMs: 1 },
    finishedAtMs: 1,
  };

  it('survive JSON', () => {
    expect(settlementSchema.parse(JSON.parse(JSON.stringify(settlement)))).toEqual(settlement);
  });

  it.each([{ fence: 0 }, { completionTokens: -1 }, { timings: { queueMs: -1, ttftMs: null, totalMs: 0 } }, { finishReason: 'done' }])(
    'refuse %j',
    (change) => {
      expect(settlementSchema.safeParse({ ...settlement, ...change }).success).toBe(false);
    },
  );

  it('a heartbeat without its time is none', () => {
    expect(runnerHeartbeatSchema.safeParse({ runnerId: 'r', baseModelId: 'm' }).success).toBe(false);
  });
});

it('events of a runner that knows neither choices nor log probabilities are those of choice 0', () => {
  const tokens = { type: 'tokens', seq: 1, tokens: [1, 2], text: 'a' };
  const end = { type: 'end', seq: 2, text: '', finishReason: 'stop', promptTokens: 1, completionTokens: 2, error: null };
  expect(generationEventSchema.parse(tokens)).toEqual({ ...tokens, choice: 0, logprobs: null });
  expect(generationEventSchema.parse(end)).toEqual({ ...end, choice: 0, cachedTokens: 0 });
});
