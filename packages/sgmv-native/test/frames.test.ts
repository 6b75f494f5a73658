/** What a constraint leaves free around what it describes: thoughts, and all that is no call. */
import { beforeAll, describe, expect, test } from 'vitest';
import { GrammarHost } from '../lib/constraint/grammar-host.js';
import type { GrammarSource } from '../lib/constraint/protocol.js';
import { grammarSource } from '../lib/constraint/source.js';
import { ModelTokenizer, withMarks, type Constraint, type ThoughtPlace } from '../lib/index.js';
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
const GEMMA = '<|tool_call>call:get_weather{"city": "Oslo"}<tool_call|>';
const tagged = (call: string): string => `<tool_call>\n${call}\n</tool_call>`;

/** Of answers in channels, after the vocabulary's own. */
const MARKS: [name: string, id: number, character: string][] = ['start', 'channel', 'message', 'constrain', 'end'].map((name, index) => [`<|${name}|>`, 512 + index, String.fromCharCode(index + 1)]);

type Verdict = 'whole' | 'part' | 'refused';

describe('a frame', () => {
  let host: GrammarHost;
  let tokenizer: ModelTokenizer;
  const END = 2;
  beforeAll(async () => {
    tokenizer = await ModelTokenizer.load(stories);
    const vocabulary = withMarks([...tokenizer.vocabulary(), ...MARKS.map(() => null)], { marks: new Map(MARKS.map(([, id, character]) => [id, character])), last: [] });
    const ends = Uint32Array.from(vocabulary, () => 0);
    vocabulary.reduce((total, bytes, id) => (ends[id] = total + (bytes?.length ?? 0)), 0);
    const bytes = new Uint8Array(Buffer.concat(vocabulary.map((one) => one ?? new Uint8Array())));
    const special = Uint8Array.from(vocabulary, (one) => (one ? 0 : 1));
    host = new GrammarHost({ vocabulary: { bytes, ends, special }, vocabSize: vocabulary.length, endTokens: [END] });
  });

  /** The tokenizer writes a space in front of a text, which is none of it. */
  const tokensOf = (text: string): number[] => {
    const [mark = 0] = tokenizer.encode('\n', { addSpecialTokens: false }).slice(-1);
    const all = tokenizer.encode(`\n${text}`, { addSpecialTokens: false });
    return all.slice(all.indexOf(mark) + 1);
  };
  let opened = 0;
  /** Whether the text is one that may end, one that may go on, or none. */
  async function judge(source: GrammarSource, text: string): Promise<Verdict> {
    const parts = text.split(/(<\|(?:start|channel|message|constrain|end)\|>)/);
    const tokens = parts.flatMap((part) => MARKS.find(([name]) => name === part)?.[1] ?? tokensOf(part));
    const matcher = `m${opened++}`;
    try {
      const [place] = await host.masks({ call: 'open', matcher, index: tokens.length, source, tokens, draft: [] });
      const { mask } = place!;
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
    const whole = ['', 'No call, 2 < 3 and {"name": "x"}', tagged(OSLO), `Well.\n${tagged(OSLO)}\n${tagged(NOW)} There.`, `[TOOL_CALLS][${OSLO}, ${NOW}]`, `[TOOL_CALLS]get_weather{"city": "Oslo"}`, `Well. ${GEMMA}<|tool_call>call:now{}<tool_call|>`, `[TOOL_CALLS]get[ARGS]{"city": "O"}`, `<|python_tag|>${OSLO.replace('arguments', 'parameters')}`, `<|python_tag|>${OSLO}; ${NOW}`, tagged('{"name": "2nd", "arguments": {"x": 0.5}}')];
    expect(await judged(calls(), whole)).toEqual(all('whole', whole));
    const refused = ['<|tool_call>call:other', '<|tool_call>call:get{"town"', '<|tool_call> ', '<|tool_call>call:now{}}', '<tool_call>\n{"name": "get", "arguments": {"town"', '<tool_call> hello', tagged('{"name": "now", "arguments": {"a": 1}}'), '[TOOL_CALLS]other{', tagged('{"name": "2nd", "arguments": {"x": 0}}')];
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
    const two = [`${tagged(OSLO)}\n<tool_call>`, `${GEMMA}<|tool_call>`, `[TOOL_CALLS][${OSLO},`, `<|python_tag|>${OSLO};`];
    expect(await judged(one, two)).toEqual(all('refused', two));
  });

  test('of calls that must be made lets nothing else be said, and ends after any of them', async () => {
    const required = calls({ required: true });
    const whole = [OSLO, `${OSLO}\n${NOW}`, `[${OSLO}]`, `[${OSLO}, ${NOW}]`, tagged(OSLO), `${tagged(OSLO)}\n${tagged(NOW)}`, `[TOOL_CALLS][${NOW}]`, GEMMA, `${GEMMA}${GEMMA}`];
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

  describe('in channels', () => {
    const THOUGHT = '<|channel|>analysis<|message|>hm, {"a": 1}<|end|>';
    const TURN = '<|start|>assistant';
    const final = (text: string): string => `<|channel|>final<|message|>${text}`;
    const call = (name: string, given: string): string => `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${given}`;
    const CITY_CALL = call('get_weather', '{"city": "Oslo"}');
    const forms = ['<|channel|>commentary to=functions.now json<|message|>{}', ' to=functions.now<|channel|>commentary json<|message|>{}', ' to=functions.now<|channel|>commentary<|message|>{}'];

    test.each<[string, Constraint, string, string]>([
      ['a schema', { type: 'jsonSchema', schema: CITY }, '{"city": "Oslo"}', '{"town"'],
      ['JSON', { type: 'json' }, '{"a": [1]}', '[1'],
      ['a pattern', { type: 'regex', pattern: '(yes|no)!?' }, 'yes!', 'maybe'],
    ])('keeps %s in the final message, whatever is thought before it', async (_what, constraint, good, bad) => {
      const whole = [final(good), `${THOUGHT}${TURN}${final(good)}`, `${THOUGHT}${TURN}${THOUGHT}${TURN}${final(good)}`, final(good).replace('final', 'final <|constrain|>json')];
      expect(await judged(constraint, whole, 'channels')).toEqual(all('whole', whole));
      const part = ['', THOUGHT, `${THOUGHT}${TURN}`];
      expect(await judged(constraint, part, 'channels')).toEqual(all('part', part));
      const refused = [good, final(bad), `${THOUGHT}${TURN}${final(bad)}`, '<|channel|>commentary<|message|>', `${THOUGHT}<|channel|>`, '<|channel|>analysis<|message|>hm<|start|>'];
      expect(await judged(constraint, refused, 'channels')).toEqual(all('refused', refused));
    });

    test('no mark is a part of a string, though its text may be', async () => {
      const schema: Constraint = { type: 'jsonSchema', schema: CITY };
      const [marked, spelled] = [final('{"city": "<|end|>'), final('{"city": "< |end|>"}')];
      expect(await judged(schema, [marked, spelled], 'channels')).toEqual({ [marked]: 'refused', [spelled]: 'whole' });
    });

    test('calls that must be made are the only messages but thoughts', async () => {
      const whole = [CITY_CALL, `${THOUGHT}${TURN}${CITY_CALL}`, ...forms, `${CITY_CALL}<|end|>${TURN}${forms[0]}`, `${THOUGHT}${TURN} to=functions.2nd<|channel|>commentary<|message|>{"x": 0.5}`];
      expect(await judged(calls({ required: true }), whole, 'channels')).toEqual(all('whole', whole));
      const refused = [final(''), 'Well', '<|channel|>commentary<|message|>', call('other', ''), call('now', '{"a"'), call('2nd', '{"x": 0}'), '{"name": "now"'];
      expect(await judged(calls({ required: true }), refused, 'channels')).toEqual(all('refused', refused));
      const two = `${CITY_CALL}<|end|>`;
      expect(await judged(calls({ required: true, parallel: false }), [CITY_CALL, two], 'channels')).toEqual({ [CITY_CALL]: 'whole', [two]: 'refused' });
    });

    test('calls that may be made are kept, and other messages are free', async () => {
      const preamble = `<|channel|>commentary<|message|>I look, {"city": <tool_call>`;
      const whole = [final(''), final('Well {"name": "get"'), preamble, `${preamble}<|end|>${TURN}${CITY_CALL}`, ...forms, `${CITY_CALL}<|end|>${TURN}${forms[0]}`, `${THOUGHT}${TURN}${final('Well')}`];
      expect(await judged(calls(), whole, 'channels')).toEqual(all('whole', whole));
      const refused = [call('other', ''), call('now', '{"a"'), 'Well', `${preamble}<|channel|>`];
      expect(await judged(calls(), refused, 'channels')).toEqual(all('refused', refused));
      const two = `${CITY_CALL}<|end|>`;
      expect(await judged(calls({ parallel: false }), [`${preamble}<|end|>${TURN}${CITY_CALL}`, two], 'channels')).toEqual({ [`${preamble}<|end|>${TURN}${CITY_CALL}`]: 'whole', [two]: 'refused' });
    });

    test('an answer of a schema or one call are the choice where there is one', async () => {
      const either = calls({ parallel: false, answer: 'reply', schema: { $defs: { ...FUNCTIONS, reply: REAL } } });
      const whole = [final('{"x": 0.5}'), CITY_CALL, `${THOUGHT}${TURN}${final('{"x": 0.5}')}`, `${THOUGHT}${TURN}${CITY_CALL}`];
      expect(await judged(either, whole, 'channels')).toEqual(all('whole', whole));
      const refused = [final('{"x": 0}'), final('{"name"'), call('now', '{"a"'), `${CITY_CALL}<|end|>`];
      expect(await judged(either, refused, 'channels')).toEqual(all('refused', refused));
    });
  });

  test('of an answer or a call has one of them', async () => {
    const either = calls({ parallel: false, answer: 'reply', schema: { $defs: { ...FUNCTIONS, reply: REAL } } });
    const whole = ['{"x": 0.5}', OSLO, OSLO.replace('arguments', 'parameters')];
    expect(await judged(either, whole)).toEqual(all('whole', whole));
    const refused = ['{"x": 0}', 'Well', '{"city"', `${OSLO} `, '{"name": "other"', '{"name": "now", "arguments": {"a"'];
    expect(await judged(either, refused)).toEqual(all('refused', refused));
    const thought = `<think>hm</think>${NOW}`;
    expect(await judged(either, [thought], 'possible')).toEqual({ [thought]: 'whole' });
  });
});
