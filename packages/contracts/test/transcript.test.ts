import { describe, expect, it } from 'vitest';
import { Transcript, type ChoiceEndEvent, type EndEvent, type FinishReason, type TokensEvent } from '../src/index.js';

const tokens = (seq: number, choice: number, ids: number[], text: string): TokensEvent => ({
  type: 'tokens',
  seq,
  choice,
  tokens: ids,
  text,
  logprobs: null,
});
const choiceEnd = (seq: number, choice: number, text: string, finishReason: FinishReason): ChoiceEndEvent => ({
  type: 'choiceEnd',
  seq,
  choice,
  text,
  finishReason,
});
const end = (seq: number, choice: number, text: string, finishReason: FinishReason): EndEvent => ({
  type: 'end',
  seq,
  choice,
  text,
  finishReason,
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: 0,
  error: null,
});

describe('a transcript', () => {
  it('knows that the prompt was told, and counts nothing of it', () => {
    const transcript = Transcript.from([{ type: 'prompt', seq: 1, text: 'Once upon', opening: 'Once', logprobs: null }, tokens(2, 0, [5], 'a')], 1);
    expect(transcript).toMatchObject({ lastSeq: 2, echoed: true, tokenCount: 1, choices: [{ text: 'a' }] });
    expect(Transcript.from([tokens(1, 0, [5], 'a')], 1).echoed).toBe(false);
  });

  it('counts the thought of a choice whose text comes at its end', () => {
    const thought = { ...choiceEnd(2, 1, 'b', 'stop'), reasoningTokens: 3 };
    const { choices } = Transcript.from([{ ...tokens(1, 0, [5, 6], 'a'), reasoningTokens: 2 }, thought, { ...end(3, 2, 'c', 'stop'), reasoningTokens: 9 }], 3);
    expect(choices.map(({ reasoningTokens }) => reasoningTokens)).toEqual([2, 3, 4]);
  });

  it('keeps the choices of one numbered stream apart', () => {
    const transcript = Transcript.from([tokens(1, 1, [7], 'b'), tokens(2, 0, [5, 6], 'a'), { ...choiceEnd(3, 1, 'b', 'stop'), stop: 'END' }, tokens(4, 0, [8], '')], 2);
    expect(transcript).toMatchObject({ lastSeq: 4, ended: false, tokenCount: 4 });
    expect(transcript.choices).toEqual([
      { text: 'a', tokens: [5, 6, 8], reasoningTokens: 0, finishReason: null, stop: null },
      { text: 'bb', tokens: [7], reasoningTokens: 0, finishReason: 'stop', stop: 'END' },
    ]);
    transcript.read(end(5, 0, 'a', 'length'));
    expect(transcript.ended).toBe(true);
    expect(transcript.settledChoices()).toEqual([
      { text: 'aa', finishReason: 'length', completionTokens: 3 },
      { text: 'bb', finishReason: 'stop', completionTokens: 1 },
    ]);
  });

  it('lists no choices where there is one', () => {
    expect(Transcript.from([tokens(1, 0, [1], 'a'), end(2, 0, '', 'stop')], 1).settledChoices()).toBeNull();
  });

  it.each<[FinishReason[], FinishReason]>([
    [['stop', 'length'], 'stop'],
    [['length', 'stop'], 'length'],
    [['stop', 'cancelled'], 'cancelled'],
    [['cancelled', 'error'], 'error'],
  ])('of choices that ended %j ended %s', (reasons, expected) => {
    const transcript = Transcript.from([choiceEnd(1, 0, '', reasons[0] ?? 'stop'), end(2, 1, '', reasons[1] ?? 'stop')], 2);
    expect(transcript.finishReason).toBe(expected);
  });

  it('does not know a choice that was not asked for', () => {
    expect(() => Transcript.from([tokens(1, 1, [1], '')], 1)).toThrow('found 1, expected one of 1');
  });
});
