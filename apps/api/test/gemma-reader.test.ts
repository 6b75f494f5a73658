/** Answers as Gemma 4 writes them, however they are cut into pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partsOf } from '../src/core/generations/thoughts/answer-parts.js';
import { readerOf } from '../src/core/openai/reasoning/piece-reader.js';
import { GemmaArguments } from '../src/core/openai/tools/gemma-arguments.js';
import { readAnswer, type Answer } from '../src/core/openai/tools/whole-answer.js';

const tool = (name: string, strict = false) => ({ name, param: '', schemaParam: '', strict });
const OFFERED = { tools: [tool('f'), tool('get_weather')], parallel: true, duty: 'auto' as const };

const called = (given: string, name = 'f'): string => `<|tool_call>call:${name}${given}<tool_call|>`;
const quoted = (text: string): string => `<|"|>${text}<|"|>`;
const f = (given: unknown) => ({ name: 'f', arguments: typeof given === 'string' ? given : JSON.stringify(given) });
/** As the runner tells the marks of its thoughts. */
const THOUGHT = '<think>thought\nhm, thought\nof </think>';

const CASES: [string, string, Partial<Answer>][] = [
  ['a call', called(`{city:${quoted('Oslo')}}`, 'get_weather'), { calls: [{ name: 'get_weather', arguments: '{"city":"Oslo"}' }] }],
  ['a call without arguments', called('{}'), { calls: [f({})] }],
  ['any text in it', called(`{a:${quoted('"x" {y}, [z]: \\ \n\t<tool_call|> <|" </tool_call> 😀')}}`), { calls: [f({ a: '"x" {y}, [z]: \\ \n\t<tool_call|> <|" </tool_call> 😀' })] }],
  ['an empty text', called(`{a:${quoted('')},b:${quoted('')}}`), { calls: [f({ a: '', b: '' })] }],
  ['numbers and words', called('{a:3,b:-1.5e3,c:true,d:false,e:null}'), { calls: [f('{"a":3,"b":-1.5e3,"c":true,"d":false,"e":null}')] }],
  ["Python's words", called('{a:True,b:None}'), { calls: [f({ a: true, b: null })] }],
  ['objects and lists', called(`{a:{b:[1,{c:${quoted('d')}},[]],e:{}},f:[${quoted('g')},${quoted('h')}]}`), { calls: [f({ a: { b: [1, { c: 'd' }, []], e: {} }, f: ['g', 'h'] })] }],
  ['spaces', '<|tool_call> call:f{ a: 1 , b : [ 2 , 3 ] } <tool_call|>\n', { calls: [f({ a: 1, b: [2, 3] })] }],
  ['names in marks', called(`{${quoted('a:b')}:1}`), { calls: [f({ 'a:b': 1 })] }],
  ['JSON', called('{"a\\"b": "c\\"}", "d": ["\\\\", {"e": 1.0}], "f": "\n"}'), { calls: [f('{"a\\"b":"c\\"}","d":["\\\\",{"e":1.0}],"f":"\\n"}')] }],
  ['calls one after the other', `${called('{a:1}')}${called('{}', 'get_weather')}`, { calls: [f({ a: 1 }), { name: 'get_weather', arguments: '{}' }] }],
  ['text and calls', `I look.\n${called('{a:1}')}${called('{}')}`, { content: 'I look.\n', calls: [f({ a: 1 }), f({})] }],
  ['text after a call', `${called('{}')} There.`, { content: 'There.', calls: [f({})] }],
  ['a thought and a call', `${THOUGHT}${called('{}')}`, { reasoning: 'hm, thought\nof', calls: [f({})] }],
  ['a thought and an answer', `${THOUGHT}Yes`, { reasoning: 'hm, thought\nof', content: 'Yes' }],
  ['a thought of calls', `<think>thought\n${called('{}')}</think>Yes`, { reasoning: called('{}'), content: 'Yes' }],
  ['an empty thought', '<think>thought\n</think>Yes', { content: 'Yes' }],
  ['a thought cut in its mark', '<think>thought\n', {}],
  ['a thought of another model that begins alike', '<think>thoughts\n</think>Yes', { reasoning: 'thoughts', content: 'Yes' }],
  ['a function that nobody has offered', called(`{a:${quoted('b')}}`, 'g'), { content: called(`{a:${quoted('b')}}`, 'g') }],
  ['the same before a call', `${called('{}', 'ff')}${called('{}')}`, { content: called('{}', 'ff'), calls: [f({})] }],
  ['a mark without a call', 'a <|tool_call> b <tool_call|>', { content: 'a <|tool_call> b <tool_call|>' }],
  ['a mark cut', 'a <|tool_c', { content: 'a <|tool_c' }],
  ['a call cut in its name', '<|tool_call>call:get_w', { content: '<|tool_call>call:get_w' }],
  ['a call cut in a text', `<|tool_call>call:f{a:<|"|>b "c <|"`, { calls: [f('{"a":"b \\"c ')] }],
  ['a call cut in a number', '<|tool_call>call:f{a:1,b:2', { calls: [f('{"a":1,"b":')] }],
  ['a text without marks', called('{a:Oslo, b:1 2}'), { calls: [f({ a: 'Oslo', b: '1 2' })] }],
  ['what is missing', called('{a:,b,c:[1,],}'), { calls: [f({ a: null, b: null, c: [1] })] }],
  ['braces that are missing', called('{a:{b:[1'), { calls: [f({ a: { b: [1] } })] }],
  ['the form of others between these marks', `<|tool_call>{"name": "f", "arguments": {"a": 1}}<tool_call|>`, { calls: [f('{"a": 1}')] }],
];

describe("an answer of Gemma's is told", () => {
  it.each(CASES)('%s: %j', (_name, text, answer) => {
    const expected = { content: answer.reasoning || answer.calls ? null : '', reasoning: '', calls: [], ...answer };
    expect(readAnswer(text, OFFERED, 1)).toEqual(expected);
    for (let size = 1; size <= 9; size++) expect(collected(text, size), `pieces of ${size}`).toEqual({ ...expected, content: expected.content ?? '' });
  });

  it('as it comes', () => {
    const reader = readerOf(OFFERED);
    expect(reader.push('<think>tho', 2)).toEqual([]);
    expect(reader.push('ught\nh', 2)).toEqual([{ kind: 'reasoning', text: 'h' }]);
    expect(reader.push('m</think><|tool_call>call:f')).toEqual([{ kind: 'reasoning', text: 'm' }]);
    expect(reader.push('{a:<|"|>b')).toEqual([{ kind: 'call', name: 'f', index: 0 }, { kind: 'arguments', text: '{"a":"b', index: 0 }]);
    expect(reader.push('"<|"|>}')).toEqual([{ kind: 'arguments', text: '\\""}', index: 0 }]);
    expect([...reader.push('<tool_call|>'), ...reader.end()]).toEqual([]);
  });

  it('one call at most where several are not wanted, and those of strict functions too', () => {
    const text = `${called('{"a": 1}')}${called('{}')}`;
    expect(readAnswer(text, { ...OFFERED, parallel: false })).toEqual({ content: null, reasoning: '', calls: [f({ a: 1 })] });
    expect(readAnswer(text, { ...OFFERED, tools: [tool('f', true)] }).calls).toEqual([f({ a: 1 }), f({})]);
  });

  it('without calls where nothing can be called', () => {
    expect(readAnswer(`${THOUGHT}${called('{}')}`, null, 1)).toEqual({ reasoning: 'hm, thought\nof', content: called('{}'), calls: [] });
    expect(partsOf(`${THOUGHT}Yes`, 1)).toEqual({ reasoning: 'hm, thought\nof', text: 'Yes' });
  });

  it('whatever the arguments are', () => {
    const text = fc.string({ unit: 'binary' }).filter((one) => !one.includes('<|"|>'));
    const key = fc.stringMatching(/^[A-Za-z_][\w-]{0,8}$/).filter((one) => one !== '__proto__');
    const { object } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), tie('object'), fc.array(tie('value'), { maxLength: 3 })),
      object: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    }));
    fc.assert(
      fc.property(object, fc.integer({ min: 1, max: 12 }), (given, size) => {
        const { calls, content } = collected(`${called(written(given))}${called('{}')}`, size);
        expect(content).toBe('');
        expect(calls.map((call) => JSON.parse(call.arguments) as unknown)).toEqual([JSON.parse(JSON.stringify(given)), {}]);
      }),
    );
  });

  it('in JSON, whatever stands in the place of arguments', () => {
    const unit = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', ' ', 'a', '1', '-', '<', '<|"|>', '<tool_call|>', 'null');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 20 }), (units) => {
        const source = new GemmaArguments();
        let json = '';
        let isOver = false;
        for (const part of ['{', ...units, '<|"|>', '"', '<tool_call|>', '<|"|><tool_call|>', '"<tool_call|>']) {
          if (isOver) break;
          const told = source.push(part);
          json += told.json;
          isOver = told.rest !== null;
        }
        expect(isOver).toBe(true);
        // No escapes but JSON's are known in what it quotes itself.
        if (!units.includes('\\')) expect(() => JSON.parse(json) as unknown, json).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  it('in time that grows with its length alone', () => {
    const long = 'x'.repeat(200_000);
    for (const given of [`{a:${quoted(long)}`, `{a:"${long}"`, `{${long}`, `{a:${long}`, `{"${long}`, `{a:[${'1,'.repeat(100_000)}`, '{a:'.repeat(60_000), '{"a\\'.repeat(50_000)]) expect(collected(called(given), 3)).toBeDefined();
  });
});

function written(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`;
  if (value !== null && typeof value === 'object') return `{${Object.entries(value).map(([key, one]) => `${key}:${written(one)}`).join(',')}}`;
  return JSON.stringify(value);
}

/** What a client puts together from the pieces. */
function collected(text: string, size: number): { content: string; reasoning: string; calls: Answer['calls'] } {
  const reader = readerOf(OFFERED);
  const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size));
  const told = { content: '', reasoning: '', calls: [] as Answer['calls'] };
  for (const piece of [...parts.flatMap((part) => reader.push(part, 1)), ...reader.end()]) {
    if (piece.kind === 'text') told.content += piece.text;
    else if (piece.kind === 'reasoning') told.reasoning += piece.text;
    else if (piece.kind === 'call') told.calls[piece.index] = { name: piece.name, arguments: '' };
    else told.calls[piece.index]!.arguments += piece.text;
  }
  return told;
}
