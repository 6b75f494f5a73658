/** Random JSON Schemas of the kinds that can be kept while generating, small enough that random tokens finish them. */
import { Random } from './random.js';

const NAMES = ['name', 'age', 'é€😀', 'a b', 'x', "it's", ''];

const leaf = (random: Random): object =>
  random.pick([
    () => ({ type: 'boolean' }),
    () => ({ type: 'null' }),
    () => ({ type: 'integer', minimum: random.between(-20, 0), maximum: random.between(1, 1500) }),
    () => ({ type: 'integer', exclusiveMinimum: 5, exclusiveMaximum: random.between(7, 12) }),
    () => ({ type: 'number', minimum: random.between(-2, 0), maximum: random.between(1, 3) }),
    () => ({ type: 'string', minLength: random.below(3), maxLength: random.between(3, 6) }),
    () => ({ type: 'string', pattern: '^[A-Z]{2}-\\d{3}$' }),
    () => ({ type: 'string', pattern: '^.{2,4}$' }),
    () => ({ type: 'string', pattern: '[^@\\s]{1,3}@\\S{1,3}' }),
    () => ({ type: 'string', format: 'date' }),
    () => ({ enum: ['red', 'grün', 'quote " and \\', 7, -1.5, null, true] }),
    () => ({ const: { kind: 'fixed', list: [1, 'é'] } }),
    () => ({ type: ['null', 'boolean'] }),
  ])();

export function randomSchema(random: Random, depth = 2): object {
  if (depth === 0 || random.next() < 0.3) return leaf(random);
  const inner = (): object => randomSchema(random, depth - 1);
  return random.pick([
    () => {
      const names = NAMES.filter(() => random.next() < 0.4);
      const properties = Object.fromEntries(names.map((name) => [name, inner()]));
      return { type: 'object', properties, required: names.filter(() => random.next() < 0.6) };
    },
    () => ({ type: 'array', items: inner(), minItems: random.below(2), maxItems: random.between(2, 3) }),
    () => ({ type: 'array', prefixItems: [inner(), inner()], items: false }),
    () => ({ anyOf: [inner(), inner()] }),
    () => ({ $defs: { part: leaf(random) }, allOf: [leaf(random)] }),
  ])();
}
