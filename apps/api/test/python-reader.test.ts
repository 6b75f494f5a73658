/** Calls in Python, as LFM2 writes them, however they are cut into pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readerOf } from '../src/core/openai/reasoning/piece-reader.js';
import { readAnswer, type Answer } from '../src/core/openai/tools/whole-answer.js';
import { tellingOf } from './told-answers.js';

const PARAMETERS = { type: 'object', properties: { text: { type: 'string' }, n: { type: 'integer' } } };
const tool = (name: string, strict = false) => ({ name, parameters: PARAMETERS, param: '', schemaParam: '', strict });
const OFFERED = { tools: [tool('f'), tool('get_weather')], parallel: true, duty: 'auto' as const };
const { collected, expectToldAsWhole } = tellingOf(OFFERED);

const BEGIN = '<|tool_call_start|>';
const END = '<|tool_call_end|>';
const calls = (...given: string[]): string => `${BEGIN}[${given.join(', ')}]${END}`;
const f = (given: unknown) => ({ name: 'f', arguments: typeof given === 'string' ? given : JSON.stringify(given) });

const VALUES: [type: string, value: string, json: string][] = [
  ['a text', '"Oslo"', '"Oslo"'],
  ['a text in single quotes', "'Oslo'", '"Oslo"'],
  ['an empty text', "''", '""'],
  ['a text in three quotes', '"""a "b" \'c\'\n"""', JSON.stringify('a "b" \'c\'\n')],
  ['an empty text in three quotes', "''''''", '""'],
  ['a text with escapes', String.raw`"a\n\t\"\'\\ \x41\u00c5\U0001f600\101 \d"`, JSON.stringify('a\n\t"\'\\ AÅ😀A \\d')],
  ['halves of a character', String.raw`"\ud83d\ude00"`, String.raw`"\ud83d\ude00"`],
  ['a raw text', String.raw`r"C:\new"`, JSON.stringify('C:\\new')],
  ['a text of many lines', "'a\nb\t'", JSON.stringify('a\nb\t')],
  ['quotes within a text', `'it's "fine", he's told'`, JSON.stringify(`it's "fine", he's told`)],
  ['code within a text', `'print('x') and f('y', 'z')'`, JSON.stringify(`print('x') and f('y', 'z')`)],
  ['marks within a text', `"a ${END} ${BEGIN}[f()]"`, JSON.stringify(`a ${END} ${BEGIN}[f()]`)],
  ['brackets within a text', '"a)] (b, c=1"', '"a)] (b, c=1"'],
  ['an integer', '-3', '-3'],
  ['a number', '1.50', '1.50'],
  ['a number in parts', '1_000', '1000'],
  ['a number without its end', '5.', '5'],
  ['a number without its beginning', '-.5', '-0.5'],
  ['a number with a sign', '+7', '7'],
  ['a number by sixteens', '0xFF', '255'],
  ['words', '[True, False, None, true, false, null]', '[true,false,null,true,false,null]'],
  ['what is no literal', 'today(1, [2]) + x', '"today(1, [2]) + x"'],
  ['a list', "[1, 'a', [2.5, ], {}]", '[1,"a",[2.5],{}]'],
  ['a tuple', "(1, 'b')", '[1,"b"]'],
  ['an object', `{'a': 1, "b": [None], c: {'d e': 'x'}}`, '{"a":1,"b":[null],"c":{"d e":"x"}}'],
  ['JSON', '{"a": {"b": [1, null, "c"]}, "d": true}', '{"a":{"b":[1,null,"c"]},"d":true}'],
  ['a set', '{1, 2}', '{"1":null,"2":null}'],
  ['nothing', '', 'null'],
];

describe('values of arguments', () => {
  it.each(VALUES)('%s', (_type, value, json) => {
    expectToldAsWhole(calls(`f(k=${value})`), { calls: [f(`{"k":${json}}`)] });
    expectToldAsWhole(calls(`f(k = ${value} , n=1)`), { calls: [f(`{"k":${json},"n":1}`)] });
  });

  it.each(VALUES.filter(([type]) => !/within|nothing/.test(type)))('%s without a name', (_type, value, json) => {
    expectToldAsWhole(calls(`f(${value}, 2, 3)`), { calls: [f(`{"text":${json},"n":2,"2":3}`)] });
  });
});

describe('calls', () => {
  it.each<[string, string, Partial<Answer>]>([
    ['one', calls('f(text="a", n=1)'), { calls: [f({ text: 'a', n: 1 })] }],
    ['no arguments', calls('f()'), { calls: [f({})] }],
    ['several', calls('f(n=1)', 'get_weather()', "f(text='x')"), { calls: [f({ n: 1 }), { name: 'get_weather', arguments: '{}' }, f({ text: 'x' })] }],
    ['several marks', `${calls('f(n=1)')}\n${calls('f()')}`, { calls: [f({ n: 1 }), f({})] }],
    ['without the list', `${BEGIN}f(n=1)${END}`, { calls: [f({ n: 1 })] }],
    ['spaces', `${BEGIN} [ f ( n = 1 ) , f( ) ] ${END}`, { calls: [f({ n: 1 }), f({})] }],
    ['text before and after', `Let me see.${calls('f(n=1)')}Checking it.`, { content: 'Let me see.Checking it.', calls: [f({ n: 1 })] }],
    ['a thought before', `<think>hm ${calls('f()')}</think>\n\n${calls('f()')}`, { reasoning: `hm ${calls('f()')}`, calls: [f({})] }],
    ['as JSON', `${BEGIN}[{"name": "f", "arguments": {"n": 1}}, {"name": "f", "arguments": {}}]${END} There.`, { content: 'There.', calls: [f('{"n": 1}'), f({})] }],
    ['a function that nobody has offered', `a ${calls('g(n=1)')} b`, { content: `a ${calls('g(n=1)')} b` }],
    ['the same behind a call', `${calls('f()', 'g(n=1)')} b`, { content: `g(n=1)]${END} b`, calls: [f({})] }],
    ['an empty list', `a ${calls()} b`, { content: `a ${calls()} b` }],
    ['no call', `${BEGIN} and ${END} are marks`, { content: `${BEGIN} and ${END} are marks` }],
    ['a name that is not called', calls('f'), { content: calls('f') }],
    ['another form behind', `${calls('f()')}<tool_call>\n{"name": "f", "arguments": {"n": 1}}\n</tool_call>`, { calls: [f({}), f('{"n": 1}')] }],
    ['a name behind the last', `${calls('f()')}f(n=1)`, { content: 'f(n=1)', calls: [f({})] }],
    ['a name at the end', `${calls('f()')} f`, { content: 'f', calls: [f({})] }],
    ['cut in its mark', '<|tool_call_st', { content: '<|tool_call_st' }],
    ['cut in its name', `${BEGIN}[get_w`, { content: `${BEGIN}[get_w` }],
    ['cut before its arguments', `${BEGIN}[f`, { content: `${BEGIN}[f` }],
    ['cut in a text', `${BEGIN}[f(text="b \\"c`, { calls: [f('{"text":"b \\"c')] }],
    ['cut behind a text', `${BEGIN}[f(text="b"`, { calls: [f('{"text":"b')] }],
    ['cut in a number', `${BEGIN}[f(n=12`, { calls: [f('{"n":')] }],
    ['cut behind its arguments', `${BEGIN}[f(text="b")`, { calls: [f({ text: 'b' })] }],
    ['cut in its end', `${BEGIN}[f(n=1)]<|tool_call_e`, { calls: [f({ n: 1 })] }],
    ['left open', `${BEGIN}[f(list=[1, {"a": "b"${END} There.`, { content: 'There.', calls: [f({ list: [1, { a: 'b' }] })] }],
    ['an argument left open', `${BEGIN}[f(text=${END}`, { calls: [f({ text: null })] }],
    ['closed by another bracket', `${BEGIN}[f(list=[1)${END}`, { calls: [f({ list: [1] })] }],
  ])('%s', (_name, text, answer) => {
    expectToldAsWhole(text, answer);
  });

  it('as they come: a text at once, another value when it is whole', () => {
    const reader = readerOf(OFFERED);
    const pieces = (text: string) => [{ kind: 'arguments', text, index: 0 }];
    expect(reader.push(`${BEGIN}[f(text="`)).toEqual([{ kind: 'call', name: 'f', index: 0 }, ...pieces('{"text":')]);
    expect(reader.push('Os')).toEqual(pieces('"Os'));
    expect(reader.push('lo"')).toEqual(pieces('lo'));
    expect(reader.push(' x')).toEqual(pieces('\\" x'));
    expect(reader.push('", n=1')).toEqual(pieces('","n":'));
    expect(reader.push('2')).toEqual([]);
    expect(reader.push(')')).toEqual(pieces('12}'));
    expect([...reader.push(`]${END}`), ...reader.end()]).toEqual([]);
  });

  it('one at most where several are not wanted, and none where functions are strict or a call is asked for', () => {
    const text = calls('f(n=1)', 'f()');
    expect(readAnswer(text, { ...OFFERED, parallel: false })).toEqual({ content: null, reasoning: '', calls: [f({ n: 1 })] });
    expect(readAnswer(text, { ...OFFERED, tools: [tool('f', true)] })).toEqual({ content: text, reasoning: '', calls: [] });
    expect(readAnswer(text, { ...OFFERED, duty: 'required' }).calls).toEqual([]);
    expect(readAnswer(text, null)).toEqual({ content: text, reasoning: '', calls: [] });
  });
});

/** As the runner writes what was called before. */
const literal = (value: unknown): string => {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object') return `{${Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${literal(member)}`).join(', ')}}`;
  return JSON.stringify(value);
};

describe('any', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.constantFrom("'", '"', ')', ']', ', ', 'n=', '\\', '\n', END, 'a', '😀'), { maxLength: 9 }).map((units) => units.join('')));
  const value = fc.jsonValue({ stringUnit: 'binary', maxDepth: 3 });

  it('values come back as they were', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z_]{1,5}$/), fc.oneof(text, value)), fc.integer({ min: 1, max: 9 }), (given, size) => {
        const { calls: told, content } = collected(`${calls(`f(${Object.entries(given).map(([key, one]) => `${key}=${literal(one)}`).join(', ')})`)}Done.`, size);
        expect(content).toBe('Done.');
        expect(told.map(({ name, arguments: json }) => [name, JSON.parse(json) as unknown])).toEqual([['f', JSON.parse(JSON.stringify(given))]]);
      }),
      { numRuns: 500 },
    );
  });

  it('arguments are JSON where the mark closes them, and the same however they are cut', () => {
    const anything = fc.array(fc.constantFrom("'", '"', '"""', '(', ')', '[', ']', '{', '}', ',', ':', '=', '\\', '\\x4', ' ', 'a', 'k=', '1', '.', 'r', '😀', '\n', '<|tool_call'), { maxLength: 24 }).map((units) => units.join(''));
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 9 }), (inner, size) => {
        const answer = `${BEGIN}[f(${inner}${END}`;
        const whole = readAnswer(answer, OFFERED);
        expect(collected(answer, size)).toEqual({ ...whole, content: whole.content ?? '' });
        const [{ arguments: json } = { arguments: '' }] = whole.calls;
        // A text that is left open has the mark in it.
        if (!json.includes(END)) expect(() => JSON.parse(json) as unknown).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  it('length takes time that grows with it alone', () => {
    const long = 'x'.repeat(200_000);
    for (const one of [`"${long}"`, `[${'1,'.repeat(100_000)}]`, `"${'\\n'.repeat(50_000)}"`, `'${"' ".repeat(50_000)}'`, `"a"${' '.repeat(200_000)}`, '(['.repeat(500)]) expect(collected(calls(`f(text=${one})`), 3).calls).toHaveLength(1);
    const begun = `x${`${BEGIN}[ff`.repeat(8_000)}`;
    expect(readAnswer(begun, OFFERED).content).toBe(begun);
  });
});
