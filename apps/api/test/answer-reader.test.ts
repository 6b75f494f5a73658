/** Calls in the text of an answer, however it is cut into pieces. */
import { describe, expect, it } from 'vitest';
import { AnswerReader, type AnswerPiece } from '../src/core/openai/tools/answer-reader.js';
import { readAnswer } from '../src/core/openai/tools/whole-answer.js';

const tool = (name: string) => ({ name, param: '', schemaParam: '', strict: false });
const OFFERED = { tools: [tool('f'), tool('get_weather')], parallel: true, duty: 'auto' as const };
const call = (name: string, given: string) => ({ name, arguments: given });

const CASES: [string, string, string | null, ReturnType<typeof call>[]][] = [
  ['text', 'Once upon a time', 'Once upon a time', []],
  ['spaces around text', '\n Once \n', '\n Once \n', []],
  ['nothing', '', '', []],
  ['a call in tags', '<tool_call>\n{"name": "f", "arguments": {"a": [1, "}"]}}\n</tool_call>', null, [call('f', '{"a": [1, "}"]}')]],
  ['spaces before a call in tags', '\n\n<tool_call>{"name":"f","arguments":{}}</tool_call>\n', null, [call('f', '{}')]],
  [
    'text, and two calls',
    'Let me see.\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ås \\"x\\" \\\\"}}\n</tool_call>',
    'Let me see.\n',
    [call('f', '{}'), call('get_weather', '{"city": "Ås \\"x\\" \\\\"}')],
  ],
  ['text after a call', '<tool_call>{"name":"f","arguments":{}}</tool_call>\nThere.', 'There.', [call('f', '{}')]],
  ['an object', '{"name": "f", "arguments": {"b": {"c": 1}}}', null, [call('f', '{"b": {"c": 1}}')]],
  ['an object as Llama writes it', '{"name": "f", "parameters": {"b": "2"}}', null, [call('f', '{"b": "2"}')]],
  ['several as Llama writes them', '{"name": "f", "parameters": {}}; {"name": "get_weather", "parameters": {}}', null, [call('f', '{}'), call('get_weather', '{}')]],
  ['a list as Mistral writes it', ' [{"name": "f", "arguments": {}}, {"name": "f", "arguments": {"x": 1}}]', null, [call('f', '{}'), call('f', '{"x": 1}')]],
  ['a list behind a mark', '[TOOL_CALLS] [{"name":"f","arguments":{}}]', null, [call('f', '{}')]],
  ['an object behind a mark', '<|python_tag|>{"name":"f","parameters":{}}', null, [call('f', '{}')]],
  ['a mark per call', '[TOOL_CALLS]{"name":"f","arguments":{}}[TOOL_CALLS]{"name":"f","arguments":{}}', null, [call('f', '{}'), call('f', '{}')]],
  ['a name and its arguments as newer ones of Mistral write them', '[TOOL_CALLS]f[ARGS]{"a": 1}[TOOL_CALLS]get_weather[ARGS]{}', null, [call('f', '{"a": 1}'), call('get_weather', '{}')]],
  ['the same where the marks are special tokens', 'get_weather{"city": "Oslo"}f{}', null, [call('get_weather', '{"city": "Oslo"}'), call('f', '{}')]],
  ['a name that begins the answer', 'f and get_weather {"a": 1}', 'f and get_weather {"a": 1}', []],
  ['nothing but a name', 'get_weather', 'get_weather', []],
  ['other orders', '{"arguments": {"a": 1}, "name": "f"}', null, [call('f', '{"a":1}')]],
  ["OpenAI's shape", '{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}', null, [call('f', '{"a": 1}')]],
  ['keys after the arguments', '{"name": "f", "arguments": {}, "id": "}"}', null, [call('f', '{}')]],
  ['a call without arguments', '{"name": "f"}', null, [call('f', '{}')]],
  ['arguments that are no object', '{"name": "f", "arguments": null}', null, [call('f', '{}')]],
  ['a function that nobody has offered', '{"name": "g", "arguments": {}}', '{"name": "g", "arguments": {}}', []],
  ['the same in tags', 'a <tool_call>{"name": "g"}</tool_call> b', 'a <tool_call>{"name": "g"}</tool_call> b', []],
  ['an answer in JSON', '{"city": "Oslo", "name": "f"}', '{"city": "Oslo", "name": "f"}', []],
  ['a list of numbers', '[1, 2, {"name": "f"}]', '[1, 2, {"name": "f"}]', []],
  ['a list in a list', '[[{"name": "f"}]]', '[[{"name": "f"}]]', []],
  ['a name that is no name of a call', '{"name": {"first": "f"}}', '{"name": {"first": "f"}}', []],
  ['braces without more', '{} and {', '{} and {', []],
  ['a note in brackets', '[Note] <tool> x', '[Note] <tool> x', []],
  ['a tag that is not closed by a call', 'x <tool_call> y <tool_call>{"name":"f","arguments":{}}', 'x <tool_call> y ', [call('f', '{}')]],
  ['a call behind what was no call', '<tool_call>{"name": "g"} <tool_call>{"name": "f", "arguments": {}}</tool_call>', '<tool_call>{"name": "g"} ', [call('f', '{}')]],
  ['calls behind marks after text', 'Well. [TOOL_CALLS][{"name": "f", "arguments": {}}]<|python_tag|>{"name": "f", "parameters": {}}', 'Well. ', [call('f', '{}'), call('f', '{}')]],
  ['a name and its arguments after text', 'Well. [TOOL_CALLS]f[ARGS]{"a": 1}', 'Well. ', [call('f', '{"a": 1}')]],
  ['a mark after text that is of no call', 'a [TOOL_CALLS] b [TOOL_CALLS]g{} [TOOL_CALLS]get_w', 'a [TOOL_CALLS] b [TOOL_CALLS]g{} [TOOL_CALLS]get_w', []],
  ['a call cut in its arguments', '{"name": "f", "arguments": {"a": "b', null, [call('f', '{"a": "b')]],
  ['a call cut in its name', '<tool_call>{"name": "get_w', '<tool_call>{"name": "get_w', []],
  ['a tag cut', 'a <tool_c', 'a <tool_c', []],
  ['an object that is no JSON', '{"name": "f", arguments: {}} x', '{"name": "f", arguments: {}} x', []],
];

describe('an answer is told', () => {
  it.each(CASES)('%s: %j', (_name, text, content, calls) => {
    expect(readAnswer(text, OFFERED)).toEqual({ content, reasoning: '', calls });
  });

  it.each(CASES)('%s, the same in any pieces: %j', (_name, text, content, calls) => {
    const pieces = [...text].map((_, size) => size + 1).flatMap((size) => [cut(text, size)]);
    for (const parts of [...pieces, [...text]]) expect(collected(parts), parts.join('|')).toEqual({ content: content ?? '', calls });
  });

  it('as it comes: text at once, arguments too', () => {
    const reader = new AnswerReader(OFFERED);
    expect(reader.push('Well, ')).toEqual([{ kind: 'text', text: 'Well, ' }]);
    expect(reader.push('<tool_call>\n{"name": "f", "argu')).toEqual([]);
    expect(reader.push('ments": {"a')).toEqual([{ kind: 'call', name: 'f', index: 0 }, { kind: 'arguments', text: '{"a', index: 0 }]);
    expect(reader.push('": 1')).toEqual([{ kind: 'arguments', text: '": 1', index: 0 }]);
    expect(reader.push('}}\n</tool_call>')).toEqual([{ kind: 'arguments', text: '}', index: 0 }]);
    expect(reader.end()).toEqual([]);
  });

  it('an answer in JSON is held back no longer than its first key', () => {
    const reader = new AnswerReader(OFFERED);
    expect(reader.push('{"city')).toEqual([]);
    expect(reader.push('": ')).toEqual([{ kind: 'text', text: '{"city": ' }]);
  });

  it('one call at most where several are not wanted', () => {
    const text = '[{"name": "f", "arguments": {}}, {"name": "f", "arguments": {"x": 1}}] and text';
    expect(readAnswer(text, { ...OFFERED, parallel: false })).toEqual({ content: null, reasoning: '', calls: [call('f', '{}')] });
  });

  it('nothing but calls where it must be one: what is cut is no text', () => {
    const forced = { ...OFFERED, duty: 'required' as const };
    expect(readAnswer('[{"name": "f", "argum', forced)).toEqual({ content: null, reasoning: '', calls: [] });
    expect(readAnswer('[{"name": "f", "arguments": {"a": 1}}, {"name": "get_w', forced)).toEqual({ content: null, reasoning: '', calls: [call('f', '{"a": 1}')] });
    expect(readAnswer('{"name": "f", "arguments": {"a', { ...forced, duty: 'function' })).toEqual({ content: null, reasoning: '', calls: [call('f', '{"a')] });
  });

  /** All that its constraint leaves free is text, so that a strict function is never called otherwise than its schema says. */
  it.each<[string, string | null, ReturnType<typeof call>[]]>([
    ['{"name": "f", "arguments": {}}', null, [call('f', '{}')]],
    ['{"name":"f","parameters":{}}; {\n  "name": "f", "arguments": {"a": 1}}', null, [call('f', '{}'), call('f', '{"a": 1}')]],
    ['[TOOL_CALLS]f{"a": 1}[TOOL_CALLS]f[ARGS]{}', null, [call('f', '{"a": 1}'), call('f', '{}')]],
    ['Well. <tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', 'Well. ', [call('f', '{}')]],
    ['f{"a": 1}', 'f{"a": 1}', []],
    ['[TOOL_CALLS]f{}f{"a": 1}', 'f{"a": 1}', [call('f', '{}')]],
    ['{"arguments": {}, "name": "f"}', '{"arguments": {}, "name": "f"}', []],
    ['{\t"name": "f", "arguments": {}}', '{\t"name": "f", "arguments": {}}', []],
    ['{"type": "function", "function": {"name": "f"}}', '{"type": "function", "function": {"name": "f"}}', []],
  ])('as the engine constrains it, where a function is strict: %j', (text, content, calls) => {
    const strict = { ...OFFERED, tools: OFFERED.tools.map((one) => ({ ...one, strict: true })) };
    expect(readAnswer(text, strict)).toEqual({ content, reasoning: '', calls });
    for (let size = 1; size < 8; size++) expect(collected(cut(text, size), strict)).toEqual({ content: content ?? '', calls });
  });

  it('in time that grows with its length alone', () => {
    const long = `{"arguments": {"a": "${'x'.repeat(200_000)}"}, "name": "f"}`;
    expect(collected(cut(long, 4)).calls[0]?.arguments).toHaveLength(200_008);
    expect(collected(cut(`{"name": "${'x'.repeat(200_000)}`, 4)).content).toHaveLength(200_010);
    expect(readAnswer('{'.repeat(100_000), OFFERED).content).toHaveLength(100_000);
    expect(readAnswer(`{"name":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, OFFERED).calls).toEqual([]);
  });
});

function cut(text: string, size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size));
}

/** What a client puts together from the pieces. */
function collected(parts: readonly string[], offered = OFFERED): { content: string; calls: { name: string; arguments: string }[] } {
  const reader = new AnswerReader(offered);
  const pieces: AnswerPiece[] = [...parts.flatMap((part) => reader.push(part)), ...reader.end()];
  const calls: { name: string; arguments: string }[] = [];
  let content = '';
  for (const piece of pieces) {
    if (piece.kind === 'text' || piece.kind === 'reasoning') content += piece.text;
    else if (piece.kind === 'call') calls[piece.index] = { name: piece.name, arguments: '' };
    else calls[piece.index]!.arguments += piece.text;
  }
  return { content, calls };
}
