import { describe, expect, it } from 'vitest';
import {
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
    ['sampling.maxTokens', { ...job, sampling: { ...job.sampling, maxTokens: 0 } }],
    ['deadlineMs', { ...job, deadlineMs: 1.5 }],
  ])('names %s as the field at fault', (path, value) => {
    expect(pathsOf(value)).toEqual([path]);
  });
});

describe('sampling', () => {
  it('has defaults for everything but seed and length', () => {
    expect(samplingSchema.parse({ seed: 7, maxTokens: 3 })).toEqual({
      temperature: 1,
      topP: 1,
      topK: 0,
      minP: 0,
      seed: 7,
      maxTokens: 3,
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
  ])('refuses %j', (change) => {
    expect(samplingSchema.safeParse({ seed: 1, maxTokens: 1, ...change }).success).toBe(false);
  });
});

describe('stream events', () => {
  it('are told apart by type', () => {
    const tokens = { type: 'tokens', seq: 1, tokens: [1, 2], text: 'a' };
    const end = { type: 'end', seq: 2, text: '', finishReason: 'stop', promptTokens: 1, completionTokens: 2, error: null };
    expect(generationEventSchema.parse(tokens)).toEqual(tokens);
    expect(generationEventSchema.parse(end)).toEqual(end);
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
    promptTokens: 1,
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
