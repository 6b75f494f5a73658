/** What a constraint leaves free around what it describes: thoughts, and all that is no call. */
import { beforeAll, describe, expect, test } from 'vitest';
import { GrammarHost } from '../lib/constraint/grammar-host.js';
import type { GrammarSource } from '../lib/constraint/protocol.js';
import { grammarSource } from '../lib/constraint/source.js';
import { ModelTokenizer, type Constraint, type ThoughtPlace } from '../lib/index.js';
import { stories } from './places.js';

const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const REAL = { type: 'object', properties: { x: { type: 'number', exclusiveMinimum: 0 } }, required: ['x'] };
const FUNCTIONS = { get: CITY, get_weather: CITY, '2nd': REAL, now: { type: 'object', additionalProperties: false } };
const calls = (change: object = {}): Constraint => ({
  type: 'calls',
  schema: { $defs: FUNCTIONS },
  functions: Object.keys(FUNCTIONS),
  required: false,
  parallel: true,
  ...change,
});
const OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}';
const NOW = '{"name": "now", "arguments": {}}';
const tagged = (call: string): string => `<tool_call>\n${call}\n</tool_call>`;

type Verdict = 'whole' | 'part' | 'refused';

describe('a frame', () => {
  let host: GrammarHost;
  let tokenizer: ModelTokenizer;
  const END = 2;
  beforeAll(async () => {
    tokenizer = await ModelTokenizer.load(stories);
    const vocabulary = tokenizer.vocabulary();
    const ends = Uint32Array.from(vocabulary, () => 0);
    vocabulary.reduce((total, bytes, id) => (ends[id] = total + (bytes?.length ?? 0)), 0);
    const bytes = new Uint8Array(Buffer.concat(vocabulary.map((one) => one ?? new Uint8Array())));
    const special = Uint8Array.from(vocabulary, (one) => (one ? 0 : 1));
    host = new GrammarHost({ vocabulary: { bytes, ends, special }, vocabSize: vocabulary.length, endTokens: [END] });
  });

  let opened = 0;
  /** Whether the text is one that may end, one that may go on, or none. */
  async function judge(source: GrammarSource, text: string): Promise<Verdict> {
    // The tokenizer writes a space in front of a text, which is none of it.
    const [mark = 0] = tokenizer.encode('\n', { addSpecialTokens: false }).slice(-1);
    const all = tokenizer.encode(`\n${text}`, { addSpecialTokens: false });
    const tokens = all.slice(all.indexOf(mark) + 1);
    const matcher = `m${opened++}`;
    try {
      const mask = await host.mask({ call: 'open', matcher, index: tokens.length, source, tokens });
      return (mask[END >> 5]! >>> (END & 31)) & 1 ? 'whole' : 'part';
    } catch (error) {
      if ((error as Error).message.startsWith('resumeTokens')) return 'refused';
      throw error;
    } finally {
      host.close(matcher);
    }
  }
  const judged = async (constraint: Constraint, texts: readonly string[], thought?: ThoughtPlace) =>
    Object.fromEntries(await Promise.all(texts.map(async (text) => [text, await judge(grammarSource(constraint, thought), text)] as const)));
  const all = (verdict: Verdict, texts: readonly string[]) => Object.fromEntries(texts.map((text) => [text, verdict]));

  test('of calls that may be made keeps those that their mark has begun, and nothing else', async () => {
    const whole = ['', 'No call, 2 < 3 and {"name": "x"}', tagged(OSLO), `Well.\n${tagged(OSLO)}\n${tagged(NOW)} There.`, `[TOOL_CALLS][${OSLO}, ${NOW}]`, `[TOOL_CALLS]get_weather{"city": "Oslo"}`, `[TOOL_CALLS]get[ARGS]{"city": "O"}`, `<|python_tag|>${OSLO.replace('arguments', 'parameters')}`, `<|python_tag|>${OSLO}; ${NOW}`, tagged('{"name": "2nd", "arguments": {"x": 0.5}}')];
    expect(await judged(calls(), whole)).toEqual(all('whole', whole));
    const refused = ['<tool_call>\n{"name": "other"', '<tool_call>\n{"name": "get", "arguments": {"town"', '<tool_call> hello', tagged('{"name": "now", "arguments": {"a": 1}}'), '[TOOL_CALLS]other{', tagged('{"name": "2nd", "arguments": {"x": 0}}')];
    expect(await judged(calls(), refused)).toEqual(all('refused', refused));
    const part = ['<tool_call>', `<tool_call>\n${OSLO}`, `[TOOL_CALLS][${OSLO}`];
    expect(await judged(calls(), part)).toEqual(all('part', part));
  });

  test('of calls that may be made keeps those without a mark, wherever they stand', async () => {
    const spaced = '{\n    "name": "get",\n    "parameters": {"city": "O"}\n}';
    const whole = [OSLO, `${OSLO}; ${NOW}`, `Well. [${OSLO}, ${NOW}]`, spaced, `${tagged(OSLO)}\n${OSLO}`, '{"name":"now","arguments":{}}', '{"name": "no", "arguments": 1}', '{"city": "Oslo", "name": "get"}'];
    expect(await judged(calls(), whole)).toEqual(all('whole', whole));
    const refused = ['{"name": "get", "arguments": {"town"', '{"name": "get", "city"', `${NOW}{"name": "now", "arguments": {"a"`, `[${NOW}, {"name": "get"}]`, spaced.replace('city', 'town')];
    expect(await judged(calls(), refused)).toEqual(all('refused', refused));
  });

  test('of one call lets no second follow', async () => {
    const one = calls({ parallel: false });
    expect(await judged(one, [`Well. ${tagged(OSLO)}`, `[TOOL_CALLS][${OSLO}]`])).toEqual(all('whole', [`Well. ${tagged(OSLO)}`, `[TOOL_CALLS][${OSLO}]`]));
    const two = [`${tagged(OSLO)}\n<tool_call>`, `[TOOL_CALLS][${OSLO},`, `<|python_tag|>${OSLO};`];
    expect(await judged(one, two)).toEqual(all('refused', two));
  });

  test('of calls that must be made lets nothing else be said, and ends after any of them', async () => {
    const required = calls({ required: true });
    const whole = [OSLO, `${OSLO}\n${NOW}`, `[${OSLO}]`, `[${OSLO}, ${NOW}]`, tagged(OSLO), `${tagged(OSLO)}\n${tagged(NOW)}`, `[TOOL_CALLS][${NOW}]`];
    expect(await judged(required, whole)).toEqual(all('whole', whole));
    const refused = ['Well', '{"city"', `${OSLO} and`, '[]'];
    expect(await judged(required, refused)).toEqual(all('refused', refused));
    expect(await judged(required, [''])).toEqual({ '': 'part' });
    const sixteen = Array.from({ length: 16 }, () => NOW).join('\n');
    expect(await judged(required, [sixteen, `${sixteen}\n`])).toEqual({ [sixteen]: 'whole', [`${sixteen}\n`]: 'refused' });
  });

  test.each<[string, Constraint, string, string]>([
    ['a schema', { type: 'jsonSchema', schema: CITY }, '{"city": "Oslo"}', '{"town"'],
    ['JSON', { type: 'json' }, '{"a": [1]}', '[1'],
    ['a pattern', { type: 'regex', pattern: '(yes|no)!?' }, 'yes!', 'maybe'],
    ['a grammar', { type: 'grammar', grammar: 'root ::= a "!"\na ::= "x" | "y"' }, 'y!', 'z'],
    ['calls', calls({ required: true }), tagged(OSLO), 'Well'],
  ])('with a thought keeps %s after it', async (_what, constraint, good, bad) => {
    const thought = 'hm, {"a": 1} < </thin';
    const after = (text: string): string[] => [`${thought}</think>${text}`, `${thought}\n</think>\n\n${text}`];
    const opened = [good, ...after(good).map((text) => `<think>\n${text}`)];
    expect(await judged(constraint, opened, 'possible')).toEqual(all('whole', opened));
    expect(await judged(constraint, after(good), 'open')).toEqual(all('whole', after(good)));
    const cut = [thought, `${thought}</think>`];
    expect(await judged(constraint, cut, 'open')).toEqual(all('part', cut));
    const refused = [bad, ...after(bad).map((text) => `<think>${text}`)];
    expect(await judged(constraint, refused, 'possible')).toEqual(all('refused', refused));
    expect(await judged(constraint, after(bad), 'open')).toEqual(all('refused', after(bad)));
  });

  test('with a thought lets calls be thought of', async () => {
    const text = '<think>I could <tool_call> something.</think>Well.';
    expect(await judged(calls(), [text], 'possible')).toEqual({ [text]: 'whole' });
    expect(await judged(calls(), [text])).toEqual({ [text]: 'refused' });
  });
});
