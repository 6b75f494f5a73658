import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, settingsSchemaFor, toConstraint, toSampling } from '@/features/playground/settings';

const problemsOf = (change: object, contextTokens: number | null = null): string[] =>
  settingsSchemaFor(contextTokens)
    .safeParse({ ...DEFAULT_SETTINGS, ...change })
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

describe('playground settings', () => {
  it('leave out what was left empty', () => {
    expect(toSampling(DEFAULT_SETTINGS)).toEqual({
      temperature: 0.7,
      topP: 0.95,
      maxTokens: 256,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
    });
    expect(toConstraint(DEFAULT_SETTINGS)).toEqual({});
  });

  it('pass on what was set', () => {
    const given = {
      ...DEFAULT_SETTINGS,
      seed: 0,
      topK: 0,
      minTokens: 4,
      stop: ['END'],
      jsonSchema: '{"type":"object"}',
    };
    expect(toSampling(given)).toMatchObject({ seed: 0, topK: 0, minTokens: 4, stop: ['END'] });
    expect(toConstraint(given)).toEqual({ constraint: { jsonSchema: '{"type":"object"}' } });
  });

  it.each([
    [{ repetitionPenalty: 0 }, 'repetitionPenalty: Above 0, up to 2'],
    [{ frequencyPenalty: 2.5 }, 'frequencyPenalty: From -2 to 2'],
    [{ presencePenalty: -3 }, 'presencePenalty: From -2 to 2'],
    [{ topP: 0 }, 'topP: Above 0, up to 1'],
    [{ minTokens: 1.5 }, 'minTokens: A whole number'],
    [{ jsonSchema: '{' }, 'jsonSchema: A JSON object, such as { "type": "object" }'],
    [{ jsonSchema: '[]' }, 'jsonSchema: A JSON object, such as { "type": "object" }'],
  ])('refuse %j in words', (change, problem) => {
    expect(problemsOf(change)).toContain(problem);
  });

  it('bound max tokens by the context, where it is known', () => {
    const problem = 'maxTokens: At most 2,048, the model’s context';
    expect(problemsOf({ maxTokens: 2049 }, 2048)).toEqual([problem]);
    expect(problemsOf({ maxTokens: 2048 }, 2048)).toEqual([]);
    expect(problemsOf({ maxTokens: '' }, 2048)).toEqual([]);
    expect(problemsOf({ maxTokens: 2049 })).toEqual([]);
  });

  it.each([{ jsonSchema: ' ' }, { jsonSchema: '{"type": "object"}' }, { minTokens: '' }])(
    'take %j',
    (change) => {
      expect(problemsOf(change)).toEqual([]);
    },
  );
});
