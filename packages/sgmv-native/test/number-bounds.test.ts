/** Bounds of numbers: what XGrammar's grammar of the narrowed schema takes is within the bounds that were asked for. */
import { describe, expect, test } from 'vitest';
import { realWithin, wholeWithin, withoutMarks } from '../lib/constraint/number-bounds.js';
import { XGrammarInstance } from '../lib/constraint/xgrammar.js';
import { Random } from './random.js';

type Schema = Record<string, number>;

/** Without an exponent, a sign of 0, and more decimals or digits than are written. */
const PLAIN = /^(?!-0(?:\.0*)?$)-?(?:0|[1-9]\d{0,14})(?:\.\d{1,6})?$/;

const within = (schema: Schema, value: number): boolean =>
  value >= (schema.minimum ?? -Infinity) && value > (schema.exclusiveMinimum ?? -Infinity) && value <= (schema.maximum ?? Infinity) && value < (schema.exclusiveMaximum ?? Infinity);

/** Numbers at, near and far beyond the bounds, and texts that are none. */
function texts(schema: Schema): string[] {
  const random = new Random(7);
  const bounds = Object.values(schema);

  const steps = [0, 1, -1, 0.5, -0.5, 0.01, -0.01, 0.99, -0.99, 1.5, -1.5, 10, -10];
  const near = bounds.flatMap((bound) => steps.map((step) => String(Number((bound + step).toFixed(2)))));
  const between = Array.from({ length: 40 }, () => (random.between(-3_000, 3_000) / 1_000 + random.pick(bounds)).toFixed(random.between(0, 3)));
  return [...near, ...between, ...near.map((one) => `${one}9`), ...near.map((one) => `${one}.0`), '-0', '-0.0', '0.0', '00', '.5', '1.', '1e3', '-', ''];
}

async function taken(schema: object, candidates: readonly string[]): Promise<string[]> {
  return new XGrammarInstance().run(async ({ Grammar, Testings }) => {
    const marked = await Grammar.fromJSONSchema(JSON.stringify(schema), false, -1);
    const grammar = await Grammar.fromEBNF(withoutMarks(marked.toString()));
    const found: string[] = [];
    for (const text of candidates) if (await Testings.isGrammarAcceptString(grammar, text)) found.push(text);
    return found;
  });
}

describe('a real number within', () => {
  test.each<[Schema, string[]]>([
    [{ minimum: 0, maximum: 1 }, ['0', '0.5', '0.987654', '1']],
    [{ minimum: 0, maximum: 2 }, ['0', '0.123', '1.99', '2']],
    [{ minimum: 1, maximum: 10 }, ['1', '9.99', '10']],
    [{ minimum: 18, maximum: 120 }, ['18', '64.5', '119.9', '120']],
    [{ minimum: 4, exclusiveMaximum: 5 }, ['4', '4.5']],
    [{ minimum: 0, exclusiveMaximum: 100 }, ['0', '99.9']],
    [{ minimum: -1, maximum: 0 }, ['-1', '-0.5', '0']],
    [{ minimum: -1, maximum: 1 }, ['-1', '-0.5', '0', '0.5', '1']],
    [{ minimum: -90, maximum: 90 }, ['-90', '-89.5', '-1', '-0.5', '0', '89.9', '90']],
    [{ minimum: -5, maximum: 0 }, ['-5', '-4.5', '-1', '-0.25', '0']],
    [{ minimum: -2, maximum: 3 }, ['-2', '-1.5', '-0.5', '2.5', '3']],
    [{ minimum: -20, maximum: -3 }, ['-20', '-3', '-3.5', '-19.9']],
    [{ minimum: -4, maximum: -3 }, ['-4', '-3.5', '-3']],
    [{ exclusiveMinimum: -4, maximum: 0 }, ['-3.5', '-0.5', '0']],
    [{ exclusiveMinimum: -1, exclusiveMaximum: 1 }, ['-0.5', '0', '0.5']],
    [{ minimum: 0, maximum: 1_000_000 }, ['0.5', '999999.5', '1000000']],
    [{ minimum: 0.5 }, ['0.5', '0.500000', '0.500001', '1', '97.25', '123456789012']],
    [{ maximum: -2.5 }, ['-2.5', '-2.500001', '-3', '-123456789']],
    [{ minimum: 0 }, ['0', '0.0', '0.000001', '12']],
    [{ exclusiveMinimum: 0 }, ['0.000001', '0.1', '1', '100']],
    [{ exclusiveMaximum: 0 }, ['-0.000001', '-0.1', '-1', '-100']],
    [{ maximum: 0 }, ['0', '-0.000001', '-7']],
    [{ minimum: -0.25, maximum: 0.75 }, ['-0.25', '-0.000001', '0', '0.749999', '0.75']],
    [{ exclusiveMinimum: -0.25, exclusiveMaximum: 0.75 }, ['-0.249999', '0', '0.749999']],
    [{ exclusiveMinimum: 0, maximum: 9 }, ['0.000001', '8.999999', '9']],
    [{ minimum: -9, exclusiveMaximum: -1 }, ['-9', '-1.000001']],
    [{ minimum: 0, exclusiveMinimum: 0, maximum: 1 }, ['0.5', '1']],
    [{ minimum: 1.005, maximum: 1.01 }, ['1.005', '1.0099', '1.01']],
    [{ minimum: 0.12345678, maximum: 0.12345699 }, ['0.12345678', '0.12345688']],
    [{ minimum: 99.5, maximum: 1000.25 }, ['99.5', '99.9', '100', '999.99', '1000', '1000.25']],
    [{ minimum: 3, maximum: 3 }, ['3', '3.0']],
  ])('%j', async (schema, some) => {
    const narrowed = realWithin(schema);
    if (!narrowed) throw new Error('it was not narrowed');
    const found = await taken(narrowed, [...some, ...texts(schema)]);
    expect(found).toEqual(expect.arrayContaining(some));
    for (const text of found) expect([text, within(schema, JSON.parse(text) as number)]).toEqual([text, true]);
    const plain = texts(schema).filter((text) => PLAIN.test(text) && within(schema, Number(text)));
    expect(found).toEqual(expect.arrayContaining(plain));
  });

  test('random bounds: a text is taken if and only if its number is within', async () => {
    const random = new Random(11);
    for (let round = 0; round < 15; round++) {
      const bound = (): number => Number((random.between(-4_000_000, 4_000_000) / 10 ** random.between(0, 6)).toFixed(random.between(0, 6)));
      const [low = 0, high = 0] = [bound(), bound()].sort((a, b) => a - b);
      const schema: Schema = {
        ...(random.next() < 0.8 && { [random.pick(['minimum', 'exclusiveMinimum'])]: low }),
        ...(random.next() < 0.8 && { [random.pick(['maximum', 'exclusiveMaximum'])]: high }),
      };
      const narrowed = realWithin(schema);
      if (!narrowed) continue;
      const candidates = [...new Set(texts(schema))].filter((text) => text !== '-0');
      const found = new Set(await taken(narrowed, candidates));
      const wrong = candidates.filter((text) => found.has(text) !== (PLAIN.test(text) && within(schema, Number(text))));
      expect([schema, wrong]).toEqual([schema, []]);
    }
  });

  test.each<Schema>([{}, { minimum: 2, maximum: 1 }, { exclusiveMinimum: 1, exclusiveMaximum: 1.000001 }, { minimum: 0, maximum: 1e10 }, { minimum: 1e-9 }, { minimum: 1e300 }])(
    '%j is not kept',
    (schema) => {
      expect(realWithin(schema)).toBeNull();
    },
  );
});

describe('a whole number within', () => {
  test.each<Schema>([
    { minimum: 0, maximum: 120 },
    { minimum: -5, maximum: 129 },
    { minimum: 18 },
    { maximum: -3 },
    { exclusiveMinimum: 0, exclusiveMaximum: 1_000 },
    { minimum: -1_120, maximum: -12 },
    { minimum: 0, maximum: 0 },
    { minimum: 99, exclusiveMaximum: 1_201 },
  ])('%j is taken if and only if it is', async (schema) => {
    const narrowed = wholeWithin(schema);
    if (!narrowed) throw new Error('it was not narrowed');
    const whole = Array.from({ length: 2_801 }, (_, index) => String(index - 1_300));
    const found = await taken(narrowed, [...whole, '-0', '00', '01', '-', '', '1.0', '1e2', '.']);
    expect(found).toEqual(whole.filter((text) => within(schema, Number(text))));
  });

  test('has no mark for bounds that are no whole numbers, or none at all', () => {
    for (const schema of [{ minimum: 0.5 }, { maximum: 1e300 }, { minimum: 2, maximum: 1 }, {}]) expect(wholeWithin(schema)).toBeNull();
  });
});
