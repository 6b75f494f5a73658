/** Calls in tags of their own, as Qwen3-Coder, GLM, MiniMax and DeepSeek write them, however they are cut into pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readerOf } from '../src/core/openai/reasoning/piece-reader.js';
import { readAnswer, type Answer } from '../src/core/openai/tools/whole-answer.js';
import { tellingOf } from './told-answers.js';

const PARAMETERS = {
  type: 'object',
  properties: {
    text: { type: 'string' },
    kind: { enum: ['a', '1'] },
    n: { type: 'integer' },
    x: { type: 'number' },
    yes: { type: 'boolean' },
    list: { type: 'array' },
    object: { type: 'object' },
    either: { type: ['string', 'null'] },
    any: { anyOf: [{ type: 'integer' }, { $ref: '#/$defs/name' }] },
    ref: { $ref: '#/$defs/name' },
    'a/b': { allOf: [{ description: 'd' }, { $ref: '#/$defs/a~1b' }] },
    loop: { $ref: '#/properties/loop' },
  },
  $defs: { name: { type: 'string' }, 'a/b': { const: 1 } },
};
const tool = (name: string, strict = false) => ({ name, parameters: PARAMETERS, param: '', schemaParam: '', strict });
const OFFERED = { tools: [tool('f'), tool('get_weather')], parallel: true, duty: 'auto' as const };
const { collected, expectToldAsWhole } = tellingOf(OFFERED);

type Given = readonly (readonly [key: string, value: string])[];
interface Form {
  form: string;
  call: (given: Given, name?: string) => string;
  /** Up to its first value, and up to its end. */
  head: string;
  opening: string;
  valueEnd: string;
  /** The marks that end it, all but the first of which may be missing. */
  ends: readonly string[];
}

const qwen = (given: Given, name = 'f'): string => `<tool_call>\n<function=${name}>\n${given.map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`).join('')}</function>\n</tool_call>`;
const seed = (given: Given, name = 'f'): string => `<seed:tool_call>\n<function=${name}>\n${given.map(([key, value]) => `<parameter=${key}>${value}</parameter>\n`).join('')}</function>\n</seed:tool_call>`;
const glmApart = (gap: string) => (given: Given, name = 'f'): string => `<tool_call>${name}${gap}${given.map(([key, value]) => `<arg_key>${key}</arg_key>${gap}<arg_value>${value}</arg_value>${gap}`).join('')}</tool_call>`;
const glm = glmApart('\n');
const invoked = (given: Given, name = 'f'): string => `<invoke name="${name}">\n${given.map(([key, value]) => `<parameter name="${key}">${value}</parameter>\n`).join('')}</invoke>\n`;
const minimax = (given: Given, name?: string): string => `<minimax:tool_call>\n${invoked(given, name)}</minimax:tool_call>`;

const FORMS: Form[] = [
  { form: 'Qwen3-Coder', call: qwen, head: '<tool_call>\n<function=', opening: '<tool_call>\n<function=f>\n<parameter=text>\n', valueEnd: '\n</parameter>', ends: ['</function>', '</tool_call>'] },
  { form: 'Qwen3-Coder without the mark', call: (given, name) => qwen(given, name).slice('<tool_call>\n'.length), head: '<function=', opening: '<function=f>\n<parameter=text>\n', valueEnd: '\n</parameter>', ends: ['</function>', '</tool_call>'] },
  { form: 'Seed-OSS', call: seed, head: '<seed:tool_call>\n<function=', opening: '<seed:tool_call>\n<function=f>\n<parameter=text>', valueEnd: '</parameter>', ends: ['</function>', '</seed:tool_call>'] },
  { form: 'GLM', call: glm, head: '<tool_call>', opening: '<tool_call>f\n<arg_key>text</arg_key>\n<arg_value>', valueEnd: '</arg_value>', ends: ['</tool_call>'] },
  { form: 'GLM without newlines', call: glmApart(''), head: '<tool_call>', opening: '<tool_call>f<arg_key>text</arg_key><arg_value>', valueEnd: '</arg_value>', ends: ['</tool_call>'] },
  { form: 'MiniMax', call: minimax, head: '<minimax:tool_call>\n<invoke name="', opening: '<minimax:tool_call>\n<invoke name="f">\n<parameter name="text">', valueEnd: '</parameter>', ends: ['</invoke>', '</minimax:tool_call>'] },
];

const f = (given: unknown) => ({ name: 'f', arguments: typeof given === 'string' ? given : JSON.stringify(given) });
const EVIL = ' "q" \\ < </ </parameter </parameters> </arg_valu </tool_call> <parameter=x> \t\u0001\n\nÅs 😀 {"a": 1}';

const VALUES: [type: string, key: string, value: string, json: string][] = [
  ['a text', 'text', 'Oslo', '"Oslo"'],
  ['an empty text', 'text', '', '""'],
  ['any text', 'text', EVIL, JSON.stringify(EVIL)],
  ['a text of tags', 'text', '<b>1</b> </parameter></arg_value> and\n</parameter> </arg_value>x', JSON.stringify('<b>1</b> </parameter></arg_value> and\n</parameter> </arg_value>x')],
  ['a text that reads like another type', 'text', ' 12 ', '" 12 "'],
  ['a text that is JSON', 'text', '{"a": null}', '"{\\"a\\": null}"'],
  ['a quoted text', 'text', '"x"', '"\\"x\\""'],
  ['one of some texts', 'kind', '1', '"1"'],
  ['an integer', 'n', ' -3\n', '-3'],
  ['what is no integer', 'n', '3.5', '"3.5"'],
  ['what is no JSON', 'n', 'three <', '"three <"'],
  ['a quoted integer', 'n', '"3"', '"\\"3\\""'],
  ['a number', 'x', '1.50', '1.50'],
  ['a boolean', 'yes', 'false', 'false'],
  ["Python's boolean", 'yes', 'True', 'true'],
  ['a list', 'list', '[1, "a", {"b": "</parameter>x"}]', '[1, "a", {"b": "</parameter>x"}]'],
  ['an object', 'object', '{"a": {\n"b": []}}', '{"a": {\n"b": []}}'],
  ["Python's object", 'object', "{'a': 1}", `"{'a': 1}"`],
  ['a list for an object', 'object', '[]', '"[]"'],
  ['a text of two types', 'either', '5', '"5"'],
  ['null of two types', 'either', 'null', 'null'],
  ["Python's null", 'either', 'None', 'null'],
  ['a text of some schemas', 'any', 'x', '"x"'],
  ['an integer of some schemas', 'any', '7', '7'],
  ['a text by reference', 'ref', '7', '"7"'],
  ['a constant by reference', 'a/b', '1', '1'],
  ['a reference in a circle', 'loop', '1', '1'],
  ['an integer that no schema knows', 'other', '7', '7'],
  ['a text that no schema knows', 'other', 'None "', '"None \\""'],
  ['a quoted text that no schema knows', 'constructor', '"x"', '"\\"x\\""'],
];

describe.each(FORMS)('calls as $form writes them are told', ({ call, head, opening, valueEnd, ends }) => {
  it.each(VALUES)('%s', (_type, key, value, json) => {
    expectToldAsWhole(call([[key, value]]), { calls: [f(`{${JSON.stringify(key)}:${json}}`)] });
  });

  const two = call([['text', 'a'], ['n', '1'], ['text', 'b\n']]);
  it.each<[string, string, Partial<Answer>]>([
    ['several arguments', two, { calls: [f('{"text":"a","n":1,"text":"b\\n"}')] }],
    ['no arguments', call([]), { calls: [f({})] }],
    ['several calls', `${call([['n', '1']])}\n${call([], 'get_weather')}${call([['text', 'x']])}`, { calls: [f({ n: 1 }), { name: 'get_weather', arguments: '{}' }, f({ text: 'x' })] }],
    ['text before and after', `Let me see.\n${call([['n', '1']])}\n\nThere.`, { content: 'Let me see.\nThere.', calls: [f({ n: 1 })] }],
    ['a thought before', `<think>hm ${call([])}</think>\n\n${call([])}`, { reasoning: `hm ${call([])}`, calls: [f({})] }],
    ['a function that nobody has offered', `a ${call([['n', '1']], 'g')} b`, { content: `a ${call([['n', '1']], 'g')} b` }],
    ['the same before a call', `${call([], 'ff')}${call([['n', '1']])}`, { content: call([], 'ff'), calls: [f({ n: 1 })] }],
    ['calls of other forms', `${call([])}<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n${glm([['n', '1']])}${qwen([['n', '2']])}${minimax([])}`, { calls: [f({}), f('{"a": 1}'), f({ n: 1 }), f({ n: 2 }), f({})] }],
    ['what begins like a call', `${head}f is a function`, { content: `${head}f is a function` }],
    ['a call cut in its name', `${head}get_w`, { content: `${head}get_w` }],
    ['a call cut before its arguments', head === '<tool_call>' ? '<tool_call>f\n' : opening.slice(0, opening.indexOf('<param') + 5), { content: head === '<tool_call>' ? '<tool_call>f\n' : opening.slice(0, opening.indexOf('<param') + 5) }],
    ['a call cut in a text', `${opening}b "c <`, { calls: [f('{"text":"b \\"c ')] }],
    ['a call cut in the end of a text', `${opening}b${valueEnd.slice(0, -1)}`, { calls: [f('{"text":"b')] }],
    ['a call cut in a number', `${opening.replace('text', 'n')}12`, { calls: [f('{"n":')] }],
    ['a call without its last marks', `${opening}b${valueEnd}\n${ends[0]}`, { calls: [f({ text: 'b' })] }],
    ['a call with its last mark alone', `${opening}b${valueEnd}\n${ends.at(-1)} There.`, { content: 'There.', calls: [f({ text: 'b' })] }],
  ])('%s', (_name, text, answer) => {
    expectToldAsWhole(text, answer);
  });

  it('as it comes: a text at once, another value when it is whole', () => {
    const reader = readerOf(OFFERED);
    const pieces = (text: string) => [{ kind: 'arguments', text, index: 0 }];
    expect(reader.push(opening)).toEqual([{ kind: 'call', name: 'f', index: 0 }, ...pieces('{"text":"')]);
    expect(reader.push('Os')).toEqual(pieces('Os'));
    expect(reader.push('lo <')).toEqual(pieces('lo '));
    expect(reader.push('b')).toEqual(pieces('<b'));
    expect(reader.push(valueEnd)).toEqual([]);
    expect(reader.push(opening.slice(opening.lastIndexOf(opening.includes('<arg') ? '<arg_key' : '<param')).replace('text', 'n'))).toEqual(pieces('","n":'));
    expect(reader.push('12')).toEqual([]);
    expect(reader.push(`${valueEnd}${ends[0]}`)).toEqual(pieces('12}'));
    expect([...reader.push(ends.slice(1).join('')), ...reader.end()]).toEqual([]);
  });

  it('one at most where several are not wanted, and none where functions are strict or a call is asked for', () => {
    const text = `${call([['n', '1']])}${call([])}`;
    expect(readAnswer(text, { ...OFFERED, parallel: false })).toEqual({ content: null, reasoning: '', calls: [f({ n: 1 })] });
    expect(readAnswer(text, { ...OFFERED, tools: [tool('f', true)] })).toEqual({ content: text, reasoning: '', calls: [] });
    expect(readAnswer(text, { ...OFFERED, duty: 'required' }).calls).toEqual([]);
    expect(readAnswer(`{"a": "${text}"}`, { ...OFFERED, isConstrained: true })).toEqual({ content: `{"a": "${text}"}`, reasoning: '', calls: [] });
    expect(readAnswer(text, null)).toEqual({ content: text, reasoning: '', calls: [] });
  });

  it('whatever the values are', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.constantFrom('<', '</', '</parameter>', '</arg_value>', '\n', '\n\n', '"', '\\', ' ', '😀', 'a'), { maxLength: 12 }).map((units) => units.join('')));
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 9 }), (text, size) => {
        const { calls, content } = collected(call([['text', text], ['n', '1']]), size);
        expect(content).toBe('');
        expect(calls).toEqual([f(`{"text":${JSON.stringify(text)},"n":1}`)]);
      }),
      { numRuns: 300 },
    );
  });

  it('in time that grows with its length alone', () => {
    const long = 'x'.repeat(200_000);
    expect(collected(call([['text', long]]), 3).calls).toEqual([f({ text: long })]);
    expect(collected(call([['list', `[${'1,'.repeat(100_000)}1]`]]), 3).calls[0]?.arguments).toHaveLength(200_012);
    for (const text of [opening.replace('text', long), `${opening}${valueEnd.repeat(10_000)}`, `${opening}${valueEnd}${' '.repeat(200_000)}`]) expect(collected(text, 3).calls).toHaveLength(1);
  });
});

const SEP = '<｜tool▁sep｜>';
const v3 = (given: string, name = 'f'): string => `<｜tool▁call▁begin｜>function${SEP}${name}\n\`\`\`json\n${given}\n\`\`\`<｜tool▁call▁end｜>`;
const v31 = (given: string, name = 'f'): string => `<｜tool▁call▁begin｜>${name}${SEP}${given}<｜tool▁call▁end｜>`;
const begun = (calls: string): string => `<｜tool▁calls▁begin｜>${calls}`;
const marked = (calls: string): string => `${begun(calls)}<｜tool▁calls▁end｜>`;

it('what only begins like calls is told in time that grows with its length alone', () => {
  const many = { ...OFFERED, tools: Array.from({ length: 128 }, (_, index) => tool(`some_function_${index}`)) };
  for (const { head } of FORMS) {
    const text = `x${`${head}some_function_`.repeat(8_000)}`;
    expect(readAnswer(text, many).content).toBe(text);
  }
});

describe.each([['V3', v3], ['V3.1', v31]])('calls as %s of DeepSeek writes them are told', (_form, call) => {
  const evil = JSON.stringify({ a: EVIL, b: ['```<｜tool▁call▁end｜>', { c: '}' }] });
  const cutAt = (text: string, mark: string): string => text.slice(0, text.indexOf(mark));
  it.each<[string, string, Partial<Answer>]>([
    ['a call', marked(call('{"city": "Oslo"}', 'get_weather')), { calls: [{ name: 'get_weather', arguments: '{"city": "Oslo"}' }] }],
    ['no arguments', marked(call('{}')), { calls: [f({})] }],
    ['any arguments', marked(call(evil)), { calls: [f(evil)] }],
    ['several calls', marked(`${call('{"a": 1}')}\n${call('{}', 'get_weather')}${call('{}')}`), { calls: [f('{"a": 1}'), { name: 'get_weather', arguments: '{}' }, f({})] }],
    ['text before and after', `Let me see.\n${marked(call('{}'))}\n\`\`\`js\nx`, { content: 'Let me see.\n```js\nx', calls: [f({})] }],
    ['a thought before', `<think>hm ${marked(call('{}'))}</think>\n\n${marked(call('{}'))}`, { reasoning: `hm ${marked(call('{}'))}`, calls: [f({})] }],
    ['calls without the outer marks', `I look.${call('{}')}${call('{}')}`, { content: 'I look.', calls: [f({}), f({})] }],
    ['a function that nobody has offered', `a ${marked(call('{}', 'g'))} b`, { content: `a ${marked(call('{}', 'g'))} b` }],
    ['the same before a call', marked(`${call('{}', 'g')}${call('{}')}`), { content: begun(call('{}', 'g')), calls: [f({})] }],
    ['no object', marked(call('1')), { content: marked(call('1')) }],
    ['a call cut in its name', cutAt(marked(call('{}', 'get_weather')), 'ather'), { content: cutAt(marked(call('{}', 'get_weather')), 'ather') }],
    ['a call cut in its arguments', cutAt(marked(call('{"a": "b c"}')), ' c"'), { calls: [f('{"a": "b')] }],
    ['a call cut after its arguments', cutAt(marked(call('{"a": 1}')), 'call▁end'), { calls: [f('{"a": 1}')] }],
  ])('%s', (_name, text, answer) => {
    expectToldAsWhole(text, answer);
  });

  it('one at most where several are not wanted, and none where functions are strict', () => {
    const text = marked(`${call('{"n": 1}')}${call('{}')}`);
    expect(readAnswer(text, { ...OFFERED, parallel: false })).toEqual({ content: null, reasoning: '', calls: [f('{"n": 1}')] });
    expect(readAnswer(text, { ...OFFERED, tools: [tool('f', true)] })).toEqual({ content: text, reasoning: '', calls: [] });
  });
});
