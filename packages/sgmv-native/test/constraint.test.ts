/** Constrained output: whatever the model would rather say, it comes out as the schema, pattern or grammar has it. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createEngine,
  EngineError,
  ModelTokenizer,
  type Constraint,
  type EngineEvent,
} from '../lib/index.js';
import { hasSmollm2, smollm2Folder, smollm2Weights, stories } from './places.js';
import { Random } from './random.js';
import { Recorder } from './recorder.js';
import { randomSchema } from './schemas.js';

const ajv = new Ajv2020({ strict: false, validateFormats: false });

function expectValid(text: string, schema: object): void {
  const value: unknown = JSON.parse(text);
  const valid = ajv.validate(schema, value);
  expect(valid, `${text} against ${JSON.stringify(schema)}: ${ajv.errorsText()}`).toBe(true);
}

const PERSON = {
  type: 'object',
  properties: { name: { type: 'string', maxLength: 12 }, age: { type: 'integer', minimum: 0, maximum: 120 } },
  required: ['name', 'age'],
};
const DATE = '(19|20)\\d{2}-(0[1-9]|1[0-2])-[0-3]\\d';
const WORDS = '([a-z]|é|€){2,6}( [^\\n ]{1,4}){0,2}[.!?]';
const LIST =
  'root ::= "[" item (", " item){1,3} "]"\nitem ::= "«" ([a-z] | "ä" | "ö"){1,3} "»" | "😀" | [0-9]{1,2}';

describe('stories260k (sentencepiece with byte fallback)', () => {
  let recorder: Recorder;
  let prompt: number[];
  beforeAll(async () => {
    const tokenizer = await ModelTokenizer.load(stories);
    prompt = tokenizer.encode('Once upon a time');
    recorder = await Recorder.open({ model: stories, vocabulary: tokenizer.vocabulary(), kvBytes: 64 << 20 });
  });
  afterAll(async () => expect(await recorder.close()).toEqual([]));

  const plan = (constraint: Constraint | undefined, seed: number, temperature = 1.3) => ({
    promptTokens: prompt,
    maxTokens: 350,
    constraint,
    sampling: { temperature, seed },
  });

  test('random schemas, many at once: everything that ends parses and is valid', async () => {
    let ended = 0;
    for (let round = 0; round < 3; round++) {
      const schemas = Array.from({ length: 16 }, (_, i) => randomSchema(new Random(100 * round + i)));
      const runs = schemas.map((schema, seed) => recorder.run(plan({ type: 'jsonSchema', schema }, seed)));
      for (const [i, { text, end }] of (await Promise.all(runs)).entries()) {
        expect(['stop', 'length'], `${JSON.stringify(schemas[i])}: ${end.error?.message}`).toContain(
          end.finishReason,
        );
        if (end.finishReason !== 'stop') continue;
        expectValid(text, schemas[i] as object);
        ended++;
      }
    }
    expect(ended).toBeGreaterThan(40);
  });

  test('patterns match as a whole, grammars too, at any temperature and greedily', async () => {
    const list = /^\[(«[a-zäö]{1,3}»|😀|\d{1,2})(, («[a-zäö]{1,3}»|😀|\d{1,2})){1,3}\]$/u;
    for (const temperature of [0, 1, 5]) {
      const runs = Array.from({ length: 8 }, async (_, seed) => {
        const date = await recorder.run(plan({ type: 'regex', pattern: DATE }, seed, temperature));
        expect(date.text).toMatch(new RegExp(`^${DATE}$`));
        const words = await recorder.run(plan({ type: 'regex', pattern: WORDS }, seed, temperature));
        expect(words.text).toMatch(new RegExp(`^${WORDS}$`, 'u'));
        const grammar = await recorder.run(plan({ type: 'grammar', grammar: LIST }, seed, temperature));
        expect(grammar.text).toMatch(list);
        expect(grammar.end.finishReason).toBe('stop');
      });
      await Promise.all(runs);
    }
  });

  test('32 constrained requests of different schemas beside free ones: each gets what it gets alone', async () => {
    const schemas = Array.from({ length: 32 }, (_, i) => ({
      type: 'object',
      properties: {
        [`field ${i}`]: { type: 'string', pattern: `^[a-z]{${1 + (i % 5)}}$` },
        n: { enum: [i, 'é'] },
      },
      required: [`field ${i}`, 'n'],
    }));
    const plans = schemas.flatMap((schema, seed) => [
      plan({ type: 'jsonSchema', schema }, seed),
      { ...plan(undefined, seed), maxTokens: 40 },
    ]);
    const together = await Promise.all(plans.map((one) => recorder.run(one)));
    for (const [i, { text, tokens, end }] of together.entries()) {
      if (i % 2 === 0) expectValid(text, schemas[i / 2] as object);
      if (i % 2 === 0) expect(end.finishReason).toBe('stop');
      if (i % 7 !== 0) continue;
      expect((await recorder.run(plans[i] as (typeof plans)[number])).tokens).toEqual(tokens);
    }
  });

  test('resumed after any token, it goes on as if uninterrupted; a token that does not fit is refused', async () => {
    const request = plan({ type: 'jsonSchema', schema: PERSON }, 4);
    const whole = await recorder.run(request);
    expectValid(whole.text, PERSON);
    const cuts = Array.from({ length: whole.tokens.length + 1 }, (_, cut) => cut);
    const resumed = await Promise.all(
      cuts.map((cut) => recorder.run({ ...request, resumeTokens: whole.tokens.slice(0, cut) })),
    );
    for (const [cut, { tokens, end }] of resumed.entries()) {
      expect(tokens).toEqual(whole.tokens.slice(cut));
      expect(end.finishReason).toBe('stop');
    }
    const { end } = await recorder.run({ ...request, resumeTokens: [400] });
    expect(end.error).toMatchObject({
      code: 'bad_argument',
      message: expect.stringContaining('resumeTokens[0]'),
    });
  });

  test('stop strings, a minimum length, cancelling and too few tokens do what they always do', async () => {
    const json = plan({ type: 'jsonSchema', schema: PERSON }, 4);
    const whole = await recorder.run(json);
    expect(await recorder.run({ ...json, stop: ['"age"'] })).toMatchObject({
      text: whole.text.slice(0, whole.text.indexOf('"age"')),
      end: { finishReason: 'stop' },
    });
    const pattern: Constraint = { type: 'regex', pattern: 'a{1,20}' };
    const long = await recorder.run({ ...plan(pattern, 1), sampling: { temperature: 1, minTokens: 6 } });
    expect(long.text).toMatch(/^a{5,20}$/);
    const short = await recorder.run({
      ...plan({ type: 'regex', pattern: 'ab' }, 1),
      sampling: { temperature: 1, minTokens: 50 },
    });
    expect(short).toMatchObject({ text: 'ab', end: { finishReason: 'stop' } });
    expect((await recorder.run({ ...json, maxTokens: 3 })).end.finishReason).toBe('length');
    const endless = recorder.start({ ...plan({ type: 'regex', pattern: 'a+b' }, 1), maxTokens: 400 });
    await recorder.tokensOf(endless.id, 2);
    recorder.engine.cancel(endless.id);
    expect((await endless.whole).end.finishReason).toMatch(/cancelled|length|stop/);
  });

  test('each choice is constrained by itself', async () => {
    const tokenizer = await ModelTokenizer.load(stories);
    const engine = await createEngine({
      model: stories,
      vocabulary: tokenizer.vocabulary(),
      kvBytes: 16 << 20,
    });
    const texts = await new Promise<string[]>((resolve) => {
      const parts = ['', '', '', ''];
      let ended = 0;
      engine.onEvents = (events: EngineEvent[]) => {
        for (const event of events) {
          if (event.type === 'prompt') continue;
          parts[event.choice] += event.text;
          if (event.type === 'end' && ++ended === 4) resolve(parts);
        }
      };
      engine.submit({ id: 'many', n: 4, ...plan({ type: 'regex', pattern: WORDS }, 1) });
    });
    for (const text of texts) expect(text).toMatch(new RegExp(`^${WORDS}$`, 'u'));
    expect(new Set(texts).size).toBeGreaterThan(1);
    await engine.close();
  });

  test.each([
    [{ type: 'regex', pattern: '(?=a)b' }, 'constraint.pattern: found "(?=a)b"', 'Lookahead'],
    [{ type: 'regex', pattern: '[' }, 'constraint.pattern', 'Unclosed'],
    [{ type: 'grammar', grammar: 'root ::= "a" b' }, 'constraint.grammar', 'Rule "b" is not defined'],
    [
      { type: 'jsonSchema', schema: { type: 'array', minItems: 5, maxItems: 2 } },
      'constraint.schema',
      '5 > 2',
    ],
  ] as [Constraint, string, string][])(
    '%j is refused when compiled, with the reason',
    async (constraint, ...parts) => {
      const good = recorder.run(plan({ type: 'regex', pattern: DATE }, 3));
      const { end, tokens } = await recorder.run(plan(constraint, 1));
      expect(end).toMatchObject({ finishReason: 'error', error: { code: 'constraint_invalid' } });
      for (const part of parts) expect(end.error?.message).toContain(part);
      expect(tokens).toEqual([]);
      expect((await good).text).toMatch(new RegExp(`^${DATE}$`));
    },
  );

  test('a grammar without any text is a dead end', async () => {
    const { end } = await recorder.run(plan({ type: 'grammar', grammar: 'root ::= root' }, 1));
    expect(end.error?.code).toBe('constraint_dead_end');
  });

  test.each([
    [{ not: {} }, 'constraint.schema.not'],
    [{ type: 'array', items: { type: 'array', uniqueItems: true } }, 'constraint.schema.items.uniqueItems'],
    [{ properties: { a: false } }, 'constraint.schema.properties.a'],
    [{ properties: { 'a"b': true } }, 'constraint.schema.properties: found "a\\"b"'],
    [{ properties: { a: true }, required: ['b'] }, 'constraint.schema.required: found "b"'],
    [{ anyOf: [true], type: 'string' }, 'constraint.schema.type: found it beside anyOf'],
    [{ allOf: [true, true] }, 'constraint.schema.allOf: found 2 schemas; expected one'],
    [{ $ref: '#/$defs/none' }, 'constraint.schema.$ref'],
    [{ $ref: 'http://elsewhere' }, 'constraint.schema.$ref'],
    [{ type: 'text' }, 'constraint.schema.type: found "text"'],
    [{ type: 'number', maximum: 5e12 }, 'constraint.schema.maximum: found 5000000000000 with type "number"; expected bounds that leave a number between them and need no more than 15 digits, six of them decimals.'],
    [{ type: ['number', 'null'], minimum: 2, maximum: 1 }, 'constraint.schema.minimum: found 2 with type ["number","null"]'],
    [{ type: 'integer', minimum: 0.5 }, 'constraint.schema.minimum: found 0.5; expected a whole number'],
    [{ type: 'string', minLength: -1 }, 'constraint.schema.minLength: found -1'],
    [{ type: 'string', minLength: 1, pattern: 'a' }, 'constraint.schema: found a length and a pattern'],
    [{ type: 'string', pattern: '["\\\\]' }, 'constraint.schema.pattern'],
    [{ type: 'string', pattern: '\\p{L}' }, 'constraint.schema.pattern: found "\\\\p"'],
    [{ type: 'string', enum: ['a', 1] }, 'constraint.schema.enum: found 1'],
    [{ enum: [] }, 'constraint.schema.enum'],
    [{ enum: ['a', '\u0001real 0'] }, 'constraint.schema.enum: found "\\u0001real 0"; expected another text'],
    ['{"type": ', 'constraint.schema is not JSON'],
  ])('the schema %j is refused at once, by name', (schema, part) => {
    const submit = (): void =>
      recorder.engine.submit({ id: 'x', ...plan({ type: 'jsonSchema', schema }, 1) });
    expect(submit).toThrow(EngineError);
    expect(submit).toThrow(part);
    expect(submit).toThrow(expect.objectContaining({ code: 'constraint_invalid' }));
  });

  const AWKWARD = {
    type: 'object',
    properties: {
      share: { type: 'number', minimum: 0, maximum: 1, multipleOf: 0.01 },
      tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, uniqueItems: true, minItems: 1, maxItems: 2 },
      mail: { type: 'string', format: 'email', pattern: '\\p{L}+@', 'x-hint': true },
      code: { type: 'string', minLength: 2, maxLength: 2, pattern: '^[A-Z]+$' },
      place: { type: 'object', properties: { 'a"b': true, city: { type: 'boolean' } }, required: ['a"b', 'city'], anyOf: [{ required: ['city'] }] },
      both: { allOf: [{ type: 'integer' }, { minimum: 3 }] },
      old: { type: 'integer', exclusiveMinimum: true, minimum: 1.5, nullable: true },
    },
    required: ['share', 'tags', 'code', 'place', 'nobody'],
    patternProperties: { '^x': true },
    minProperties: 1,
  };

  test.each(Array.from({ length: 6 }, (_, seed) => seed))('of a relaxed definition all is kept that can be (seed %i)', async (seed) => {
    const schema = { $defs: { call: AWKWARD }, $ref: '#/$defs/call' };
    const strict = (): void => recorder.engine.submit({ id: 'x', ...plan({ type: 'jsonSchema', schema }, 1) });
    expect(strict).toThrow('constraint.schema.$defs.call');
    const { text, end } = await recorder.run(plan({ type: 'jsonSchema', schema, relaxedDefinitions: ['call'] }, seed, 0.8));
    expect(end.error ?? null, end.error?.message).toBeNull();
    const kept = {
      type: 'object',
      properties: {
        share: { type: 'number', minimum: 0, maximum: 1 },
        tags: { type: 'array', items: { enum: ['a', 'b'] }, minItems: 1, maxItems: 2 },
        mail: { type: 'string' },
        code: { type: 'string', minLength: 2, maxLength: 2 },
        place: { type: 'object', properties: { city: { type: 'boolean' } }, required: ['city'], additionalProperties: false },
        both: true,
        old: { type: 'integer' },
      },
      required: ['share', 'tags', 'code', 'place'],
      additionalProperties: false,
    };
    if (end.finishReason === 'stop') expectValid(text, kept);
    else expect(text).toMatch(/^\{"share":/);
  });

  test('a definition that is not relaxed stays as strict as it is', () => {
    const schema = { $defs: { one: { not: {} }, other: { uniqueItems: true } }, anyOf: [{ $ref: '#/$defs/one' }, { $ref: '#/$defs/other' }] };
    const submit = (relaxedDefinitions: string[]) => (): void =>
      recorder.engine.submit({ id: 'x', ...plan({ type: 'jsonSchema', schema, relaxedDefinitions }, 1) });
    expect(submit(['one'])).toThrow('constraint.schema.$defs.other.uniqueItems');
    expect(submit(['other'])).toThrow('constraint.schema.$defs.one.not');
  });

  test('a schema that goes round in circles is refused, and so is what makes no sense', () => {
    const circle: Record<string, unknown> = { type: 'array' };
    circle.items = circle;
    const submit = (change: object) => () =>
      recorder.engine.submit({ id: 'x', ...plan({ type: 'json' }, 1), ...change });
    expect(submit({ constraint: { type: 'jsonSchema', schema: circle } })).toThrow('nested without end');
    expect(submit({ constraint: { type: 'xml' } })).toThrow('constraint.type: found "xml"');
    expect(submit({ constraint: { type: 'regex' } })).toThrow('constraint.pattern: found nothing');
    expect(submit({ constraint: { type: 'regex', pattern: 'a'.repeat(300_000) } })).toThrow(
      'found 300000 characters',
    );
    expect(submit({ ignoreEos: true })).toThrow('ignoreEos: found true; expected false with a constraint');
  });

  test.each([
    [{ type: 'regex', pattern: 'x[a-zα-ω]' }, 'constraint.pattern: found [a-zα-ω]'],
    [{ type: 'regex', pattern: '[\\u0020-\\u{ff}]' }, 'constraint.pattern: found [\\u0020-\\u{ff}]'],
    [{ type: 'grammar', grammar: 'root ::= "[é-ü]" [^一-龥]' }, 'constraint.grammar: found [^一-龥]'],
  ] as [Constraint, string][])('%j is refused: XGrammar gets such classes wrong', (constraint, part) => {
    expect(() => recorder.engine.submit({ id: 'x', ...plan(constraint, 1) })).toThrow(part);
  });

  test('without a vocabulary there are no constraints', async () => {
    const bare = await Recorder.open({ model: stories });
    const submit = (): void => bare.engine.submit({ id: 'x', ...plan({ type: 'json' }, 1) });
    expect(submit).toThrow('there is no vocabulary');
    expect(await bare.close()).toEqual([]);
  });

  test('closing while grammars are compiled and masks are on their way ends everything', async () => {
    const tokenizer = await ModelTokenizer.load(stories);
    const closing = await Recorder.open({ model: stories, vocabulary: tokenizer.vocabulary() });
    const runs = Array.from({ length: 12 }, (_, i) =>
      closing.run({ ...plan({ type: 'regex', pattern: `a{1,${i + 300}}` }, i), maxTokens: 300 }),
    );
    await closing.engine.close();
    for (const { end } of await Promise.all(runs)) expect(end.finishReason).toMatch(/cancelled|stop|length/);
    expect(closing.faults).toEqual([]);
  });
});

describe.skipIf(!hasSmollm2)('SmolLM2 (byte-level, 49 152 tokens)', () => {
  let recorder: Recorder;
  let prompt: number[];
  beforeAll(async () => {
    const tokenizer = await ModelTokenizer.load(smollm2Folder);
    prompt = tokenizer.chat([{ role: 'user', content: 'Describe a person.' }]);
    recorder = await Recorder.open({ model: smollm2Weights, vocabulary: tokenizer.vocabulary() });
  });
  afterAll(async () => expect(await recorder.close()).toEqual([]));

  test('JSON of a schema, a pattern with letters of several bytes, a JSON object', async () => {
    const run = (constraint: Constraint, seed: number) =>
      recorder.run({ promptTokens: prompt, maxTokens: 60, constraint, sampling: { temperature: 1, seed } });
    for (let seed = 0; seed < 3; seed++) {
      const [person, words, any] = await Promise.all([
        run({ type: 'jsonSchema', schema: JSON.stringify(PERSON) }, seed),
        run({ type: 'regex', pattern: '(α|β|γ|δ){3,6} 😀 [^ -~]{1,2}' }, seed),
        run({ type: 'json' }, seed),
      ]);
      expectValid(person.text, PERSON);
      expect(words.text).toMatch(/^[αβγδ]{3,6} 😀 [^ -~]{1,2}$/u);
      expect(any.text).toMatch(/^\{/);
      if (any.end.finishReason === 'stop') expect(typeof JSON.parse(any.text)).toBe('object');
    }
  });
});
