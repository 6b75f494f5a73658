/** Answers in channels, as gpt-oss writes them, however they are cut into pieces. */
import { CHANNEL_MARKS } from '@aril/contracts';
import { describe, expect, it } from 'vitest';
import { partsOf } from '../src/core/generations/thoughts/answer-parts.js';
import { readerOf } from '../src/core/openai/reasoning/piece-reader.js';
import { readAnswer, type Answer } from '../src/core/openai/tools/whole-answer.js';

const tool = (name: string) => ({ name, param: '', schemaParam: '', strict: false });
const OFFERED = { tools: [tool('f'), tool('get_weather')], parallel: true, duty: 'auto' as const };

/** Special tokens by their names, which are no text: `<|…|>` that an answer spells is written `<!…!>` here. */
const marked = (text: string): string =>
  Object.entries(CHANNEL_MARKS).reduce((all, [name, mark]) => all.replaceAll(`<|${name.toLowerCase()}|>`, mark), text).replace(/<!(.*?)!>/g, '<|$1|>');
const THOUGHT = '<|channel|>analysis<|message|>hm<|end|>';
const TURN = '<|start|>assistant';
const FINAL = '<|channel|>final<|message|>';
const CALL = '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Oslo"}';
const OSLO = { name: 'get_weather', arguments: '{"city": "Oslo"}' };
const F = { name: 'f', arguments: '{}' };

const CASES: [string, string, Partial<Answer>][] = [
  ['a thought and an answer', `${THOUGHT}${TURN}${FINAL}Yes`, { reasoning: 'hm', content: 'Yes' }],
  ['an answer alone', `${FINAL} Yes \n`, { content: ' Yes \n' }],
  ['a thought alone', THOUGHT, { reasoning: 'hm', content: null }],
  ['a thought that was cut', '<|channel|>analysis<|message|>h', { reasoning: 'h', content: null }],
  ['a header that was cut', '<|channel|>ana', { content: '' }],
  ['a second header that was cut', `${THOUGHT}${TURN}<|channel|>fin`, { reasoning: 'hm', content: null }],
  ['an answer that was cut', `${THOUGHT}${TURN}${FINAL}`, { reasoning: 'hm', content: null }],
  ['two thoughts', `${THOUGHT}${TURN}${THOUGHT}${TURN}${FINAL}Yes`, { reasoning: 'hm\n\nhm', content: 'Yes' }],
  ['a call', `${THOUGHT}${TURN}${CALL}`, { reasoning: 'hm', content: null, calls: [OSLO] }],
  ['a call whose recipient comes first', ' to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Oslo"}', { content: null, calls: [OSLO] }],
  ['the same after a thought', `${THOUGHT}${TURN} to=functions.f<|channel|>commentary json<|message|>{}`, { reasoning: 'hm', content: null, calls: [F] }],
  ['a call without a type', '<|channel|>commentary to=functions.f<|message|>{} \n', { content: null, calls: [F] }],
  ['a call in the channel of thoughts', '<|channel|>analysis to=functions.f code<|message|>{}', { content: null, calls: [F] }],
  ['a call by the bare name', '<|channel|>commentary to=f<|message|>{}', { content: null, calls: [F] }],
  ['a call without arguments', '<|channel|>commentary to=functions.f<|message|><|end|>', { content: null, calls: [F] }],
  ['a call that was cut', CALL.slice(0, -5), { content: null, calls: [{ ...OSLO, arguments: '{"city": "O' }] }],
  ['a call that was cut in its header', '<|channel|>commentary to=functions.f', { content: '' }],
  ['several calls', `${CALL}<|end|>${TURN} to=functions.f<|channel|>commentary<|message|>{}`, { content: null, calls: [OSLO, F] }],
  ['arguments that are no JSON', '<|channel|>commentary to=functions.f<|message|>no JSON', { content: null, calls: [{ name: 'f', arguments: 'no JSON' }] }],
  ['a preamble', `${THOUGHT}${TURN}<|channel|>commentary<|message|>I look.<|end|>${TURN}${CALL}`, { reasoning: 'hm', content: 'I look.', calls: [OSLO] }],
  ['a preamble, a thought and an answer', `<|channel|>commentary<|message|>I look.<|end|>${TURN}${THOUGHT}${TURN}${FINAL}Yes`, { reasoning: 'hm', content: 'I look.\n\nYes' }],
  ['a function that nobody has offered', '<|channel|>commentary to=functions.g<|message|>{}', { content: '{}' }],
  ["a tool of the model's own", `<|channel|>analysis to=python code<|message|>1+1<|end|>${TURN}${FINAL}2`, { reasoning: '1+1', content: '2' }],
  ['a type of the answer', '<|channel|>final <|constrain|>json<|message|>{"a": 1}', { content: '{"a": 1}' }],
  ['what looks like a call of another model', `${FINAL}<tool_call>{"name": "f", "arguments": {}}</tool_call>`, { content: '<tool_call>{"name": "f", "arguments": {}}</tool_call>' }],
  ['names of marks that are text', `${FINAL}<!end!><!start!>assistant<!channel!>commentary to=functions.f<!message!>{}`, { content: '<|end|><|start|>assistant<|channel|>commentary to=functions.f<|message|>{}' }],
  ['the mark of other thoughts', '<|channel|>analysis<|message|><think>hm</think><|end|>', { reasoning: '<think>hm</think>', content: null }],
  ['marks out of place', `${FINAL}Y<|message|>e<|constrain|>s`, { content: 'Yes' }],
  ['a header that is none', `<|channel|>??<|end|>${TURN}${FINAL}Yes`, { content: 'Yes' }],
  ['a channel that is none', '<|channel|>commentary?<|message|>Yes', { content: 'Yes' }],
  ['two channels', '<|channel|>commentary to=assistant<|channel|>analysis<|message|>hm', { reasoning: 'hm', content: null }],
  ['no channel', `${THOUGHT}${TURN}<|message|>Yes`, { reasoning: 'hm', content: 'Yes' }],
  ['a thought without an end', '<|channel|>analysis<|message|>hm<|channel|>final<|message|>Yes', { reasoning: 'hm', content: 'Yes' }],
  ['a thought whose end is a new turn', `<|channel|>analysis<|message|>hm${TURN}${FINAL}Yes`, { reasoning: 'hm', content: 'Yes' }],
  ['text between messages', `${THOUGHT} stray ${TURN}${FINAL}Yes`, { reasoning: 'hm', content: 'Yes' }],
];

describe('an answer in channels is told', () => {
  it.each(CASES)('%s: %j', (_name, text, answer) => {
    const expected = { content: '', reasoning: '', calls: [], ...answer };
    expect(readAnswer(marked(text), OFFERED, 1)).toEqual(expected);
    for (let size = 1; size <= 9; size++) expect(collected(marked(text), size), `pieces of ${size}`).toEqual({ ...expected, content: expected.content ?? '' });
  });

  it('as it comes', () => {
    const reader = readerOf(OFFERED);
    expect(reader.push(marked('<|channel|>anal'), 2)).toEqual([]);
    expect(reader.push(marked('ysis<|message|>h'), 2)).toEqual([{ kind: 'reasoning', text: 'h' }]);
    expect(reader.push(marked('m<|end|><|start|>assistant to=functions.f'), 2)).toEqual([{ kind: 'reasoning', text: 'm' }]);
    expect(reader.push(marked('<|channel|>commentary<|message|>{"a'))).toEqual([{ kind: 'call', name: 'f', index: 0 }, { kind: 'arguments', text: '{"a', index: 0 }]);
    expect(reader.push('": 1}')).toEqual([{ kind: 'arguments', text: '": 1}', index: 0 }]);
    expect(reader.end()).toEqual([]);
  });

  it('one call at most where several are not wanted', () => {
    const text = marked(`${CALL}<|end|>${TURN}${CALL}`);
    expect(readAnswer(text, { ...OFFERED, parallel: false }, 1).calls).toEqual([OSLO]);
  });

  it('without calls where nothing can be called', () => {
    expect(readAnswer(marked(`${THOUGHT}${TURN}${CALL}`), null, 1)).toEqual({ reasoning: 'hm', content: '{"city": "Oslo"}', calls: [] });
    expect(partsOf(marked(`${THOUGHT}${TURN}${CALL}`), 1)).toEqual({ reasoning: 'hm', text: '{"city": "Oslo"}' });
  });

  it('only where it has tokens of a header: others may write what they like', () => {
    for (const text of [marked(THOUGHT), 'to=f', ' to', 'to do', 'to=functions.f {}']) {
      expect(readAnswer(text, null, 0)).toEqual({ reasoning: '', content: text, calls: [] });
      expect(partsOf(text, 0)).toEqual({ reasoning: '', text });
    }
  });

  it('in time that grows with its length alone', () => {
    for (const head of ['<|channel|>', 'to=', `${FINAL}`, '<|channel|>commentary to=functions.f<|message|>']) {
      const text = marked(`${head}${'x'.repeat(200_000)}`);
      expect(collected(text, 3)).toBeDefined();
    }
  });
});

/** What a client puts together from the pieces. */
function collected(text: string, size: number): { content: string; reasoning: string; calls: Answer['calls'] } {
  const reader = readerOf(OFFERED);
  const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size));
  const told = { content: '', reasoning: '', calls: [] as Answer['calls'] };
  // The first of them may be ` to=…`, which no mark has made a header yet.
  const pieces = [...parts.flatMap((part) => reader.push(part, /[\u0001-\u0005]/.test(part) ? 1 : 0)), ...reader.end()];
  for (const piece of pieces) {
    if (piece.kind === 'text') told.content += piece.text;
    else if (piece.kind === 'reasoning') told.reasoning += piece.text;
    else if (piece.kind === 'call') told.calls.push({ name: piece.name, arguments: '' });
    else told.calls[piece.index]!.arguments += piece.text;
  }
  return told;
}
