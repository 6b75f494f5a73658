/**
 * JSON Schema as XGrammar keeps it. The library passes over what it does not know, and over keywords beside `anyOf`,
 * `$ref` and the like; a text would then satisfy the grammar and not the schema. So what it would pass over is refused
 * by name, and what it reads too widely is narrowed: the grammar's texts all satisfy the schema, if not the reverse.
 */
import { EngineError } from '../engine-error.js';
import { jsonStringPattern, PLAIN_CHARACTER } from './json-string-pattern.js';
import { isMark, realWithin, wholeWithin } from './number-bounds.js';
import { relax, type KnownKeywords } from './relaxed-schema.js';

type Schema = Record<string, unknown>;

const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
const KEYWORDS: Record<string, readonly string[]> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  integer: BOUNDS,
  number: BOUNDS,
  boolean: [],
  null: [],
};
/** One of these is the whole of a schema, annotations aside. */
const SHAPES = ['$ref', 'const', 'enum', 'anyOf', 'oneOf', 'allOf'];
const DEFINITIONS = ['$defs', 'definitions'];
const ANNOTATIONS = [
  ...['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples'],
  ...['deprecated', 'readOnly', 'writeOnly'],
];
const TYPED = Object.values(KEYWORDS).flat();
const KNOWN = new Set(['type', ...TYPED, ...SHAPES, ...DEFINITIONS, ...ANNOTATIONS]);
const LAX: KnownKeywords = { typed: KEYWORDS, shapes: SHAPES, silent: new Set([...DEFINITIONS, ...ANNOTATIONS]) };
/** Deeper than this is a cycle, or meant to exhaust the stack. */
const PATH_LENGTH_MAX = 2000;

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown): string => {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
};

function refuse(path: string, found: string, expected: string): never {
  throw new EngineError('constraint_invalid', `${path}: found ${found}; expected ${expected}.`);
}

/** How a schema, and all that is in it, is read. */
interface Reading {
  /** The references there can be. */
  names: ReadonlySet<string>;
  /** Whether what cannot be kept is left out, and not refused. */
  relaxed: boolean;
}

/** Of what only as much is kept as can be. */
export interface Relaxation {
  whole: boolean;
  /** Those of these names, where the whole is not. */
  definitions?: readonly string[] | undefined;
}

/** The schema as it goes to XGrammar. Throws EngineError `constraint_invalid` with the place in the schema. */
export function narrowSchema(schema: unknown, { whole, definitions = [] }: Relaxation = { whole: false }): unknown {
  const root = isObject(schema) ? schema : {};
  const names = new Set(
    DEFINITIONS.flatMap((at) => Object.keys(root[at] ?? {}).map((name) => `#/${at}/${name}`)),
  );
  const relaxed = new Set(definitions);
  return narrow(schema, 'constraint.schema', { names, relaxed: whole }, (name) => ({ names, relaxed: whole || relaxed.has(name) }));
}

function narrow(given: unknown, path: string, reading: Reading, ofDefinition = (_name: string): Reading => reading): unknown {
  if (path.length > PATH_LENGTH_MAX) refuse('constraint.schema', 'it nested without end', 'a finite depth');
  if (given === true) return true;
  if (!isObject(given)) return refuse(path, text(given), 'a schema that some value satisfies');
  const schema = reading.relaxed ? relax(given, LAX) : given;
  const unknown = Object.keys(schema).find((key) => !KNOWN.has(key));
  if (unknown !== undefined)
    refuse(`${path}.${unknown}`, 'a keyword', 'only those that can be kept while generating');
  const inner = (value: unknown, at: string): unknown => narrow(value, `${path}.${at}`, reading);
  const narrowed: Schema = { ...narrowShape(schema, path, reading.names, inner) };
  for (const at of DEFINITIONS) {
    const define = (value: unknown, place: string): unknown =>
      narrow(value, `${path}.${place}`, ofDefinition(place.slice(at.length + 1)));
    if (schema[at] !== undefined) narrowed[at] = mapValues(schema[at], at, path, define);
  }
  return narrowed;
}

type Inner = (value: unknown, at: string) => unknown;

function mapValues(value: unknown, at: string, path: string, inner: Inner): Schema {
  if (!isObject(value)) return refuse(`${path}.${at}`, text(value), 'an object');
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inner(one, `${at}.${key}`)]));
}

function narrowShape(schema: Schema, path: string, names: ReadonlySet<string>, inner: Inner): Schema {
  const shape = SHAPES.find((key) => schema[key] !== undefined);
  if (shape === undefined) return narrowTyped(schema, path, inner);
  const typed = shape === 'const' || shape === 'enum' ? [] : ['type'];
  const others = [...SHAPES, ...TYPED, ...typed];
  const beside = others.find((key) => key !== shape && schema[key] !== undefined);
  if (beside !== undefined) refuse(`${path}.${beside}`, `it beside ${shape}`, 'one of them');
  const value = schema[shape];
  if (shape === '$ref') return checkReference(value, `${path}.$ref`, names);
  if (shape === 'const' || shape === 'enum') return narrowValues(schema, shape, path);
  if (!Array.isArray(value) || value.length === 0) return refuse(`${path}.${shape}`, text(value), 'schemas');
  if (shape === 'allOf' && value.length > 1) refuse(`${path}.allOf`, `${value.length} schemas`, 'one');
  return { [shape]: value.map((one, i) => inner(one, `${shape}[${i}]`)) };
}

function checkReference(value: unknown, path: string, names: ReadonlySet<string>): Schema {
  const sound =
    typeof value === 'string' && (value === '#' || (names.has(value) && /^[#/$\w.-]+$/.test(value)));
  return sound ? { $ref: value } : refuse(path, text(value), '# or the #/$defs/name of a definition');
}

function narrowValues(schema: Schema, shape: 'const' | 'enum', path: string): Schema {
  const { type } = schema;
  const values = shape === 'const' ? [schema.const] : schema.enum;
  if (!Array.isArray(values) || values.length === 0)
    return refuse(`${path}.enum`, text(values), 'some values');
  if (values.some(isMark)) refuse(`${path}.${shape}`, text(values.find(isMark)), 'another text');
  const types = type === undefined ? undefined : [type].flat();
  const wrong = types && values.findIndex((value) => !types.some((one) => hasType(value, one)));
  if (wrong !== undefined && wrong >= 0)
    refuse(`${path}.${shape}`, text(values[wrong]), `values of type ${text(type)}`);
  return { [shape]: schema[shape] };
}

function hasType(value: unknown, type: unknown): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

function narrowTyped(schema: Schema, path: string, inner: Inner): Schema {
  const types = typesOf(schema, path);
  if (types.length === 0) return {};
  const allowed = new Set(types.flatMap((type) => KEYWORDS[type] ?? []));
  const stray = TYPED.find((key) => schema[key] !== undefined && !allowed.has(key));
  if (stray !== undefined)
    refuse(`${path}.${stray}`, `it with type ${text(types)}`, 'a keyword that XGrammar keeps for it');
  const bounded = types.includes('number') ? realWithin(schema) : types.includes('integer') ? wholeWithin(schema) : null;
  if (bounded) return besideNumber(bounded, schema, types, (rest) => narrowTyped(rest, path, inner));
  const narrowed: Schema = { type: types.length === 1 ? types[0] : types };
  if (types.includes('object')) Object.assign(narrowed, narrowObject(schema, path, inner));
  if (types.includes('array')) Object.assign(narrowed, narrowArray(schema, path, inner));
  if (types.includes('string')) Object.assign(narrowed, narrowString(schema, path));
  return Object.assign(narrowed, narrowNumber(schema, types, path));
}

/** Whole numbers are real ones. */
function besideNumber(number: Schema, schema: Schema, types: string[], narrowRest: (schema: Schema) => Schema): Schema {
  const others = types.filter((type) => type !== 'number' && type !== 'integer');
  if (others.length === 0) return number;
  const unbounded = Object.entries(schema).filter(([key]) => !BOUNDS.includes(key));
  return { anyOf: [number, narrowRest({ ...Object.fromEntries(unbounded), type: others })] };
}

/** A schema that names no type means what its keywords are for; XGrammar would ignore them. */
function typesOf(schema: Schema, path: string): string[] {
  const { type } = schema;
  if (type !== undefined) {
    const types = [type].flat();
    const wrong = types.find((one) => typeof one !== 'string' || !Object.hasOwn(KEYWORDS, one));
    if (types.length > 0 && wrong === undefined) return types as string[];
    return refuse(`${path}.type`, text(type), `some of ${Object.keys(KEYWORDS).join(', ')}`);
  }
  return Object.keys(KEYWORDS).filter(
    (one) => one !== 'number' && KEYWORDS[one]?.some((key) => schema[key] !== undefined),
  );
}

function narrowObject(schema: Schema, path: string, inner: Inner): Schema {
  const properties =
    schema.properties === undefined ? {} : mapValues(schema.properties, 'properties', path, inner);
  const names = Object.keys(properties);
  const required = schema.required ?? [];
  if (!Array.isArray(required)) return refuse(`${path}.required`, text(required), 'names of properties');
  const missing = required.find((name) => !names.includes(name as string));
  if (missing !== undefined)
    refuse(`${path}.required`, text(missing), 'names of properties that are described');
  // XGrammar writes names into its grammar as they are.
  const awkward = names.find((name) => JSON.stringify(name) !== `"${name}"`);
  if (awkward !== undefined) refuse(`${path}.properties`, text(awkward), 'names that need no escape');
  const { additionalProperties: additional } = schema;
  if (names.length > 0) {
    // Were others allowed, one of them could repeat a name with another type.
    return { properties, required, additionalProperties: false };
  }
  // Said in so many words, because XGrammar takes a definition that leaves it open for an object without any.
  if (additional === undefined) return { additionalProperties: schema.properties === undefined };
  if (additional === false) return { additionalProperties: false };
  return { additionalProperties: inner(additional, 'additionalProperties') };
}

function narrowArray(schema: Schema, path: string, inner: Inner): Schema {
  const narrowed: Schema = copy(schema, ['minItems', 'maxItems'], path);
  const { items, prefixItems } = schema;
  if (items !== undefined) narrowed.items = items === false ? false : inner(items, 'items');
  if (prefixItems === undefined) return narrowed;
  if (!Array.isArray(prefixItems)) return refuse(`${path}.prefixItems`, text(prefixItems), 'schemas');
  return { ...narrowed, prefixItems: prefixItems.map((one, i) => inner(one, `prefixItems[${i}]`)) };
}

function narrowString(schema: Schema, path: string): Schema {
  const { minLength, maxLength } = copy(schema, ['minLength', 'maxLength'], path);
  const { pattern, format } = schema;
  const bounded = minLength !== undefined || maxLength !== undefined;
  const found = [
    bounded && 'a length',
    pattern !== undefined && 'a pattern',
    format !== undefined && 'a format',
  ];
  const given = found.filter((one) => one !== false);
  if (given.length > 1) refuse(path, given.join(' and '), 'one of a length, a pattern and a format');
  if (bounded) return { pattern: `^${PLAIN_CHARACTER}{${minLength ?? 0},${maxLength ?? ''}}$` };
  if (format !== undefined) return { format };
  if (pattern === undefined) return {};
  if (typeof pattern !== 'string') return refuse(`${path}.pattern`, text(pattern), 'a regular expression');
  return { pattern: jsonStringPattern(pattern, `${path}.pattern`) };
}

function copy(schema: Schema, keys: string[], path: string): Record<string, number | undefined> {
  const present = keys.filter((key) => schema[key] !== undefined);
  const wrong = present.find((key) => !Number.isInteger(schema[key]) || Number(schema[key]) < 0);
  if (wrong !== undefined) refuse(`${path}.${wrong}`, text(schema[wrong]), 'a whole number of at least 0');
  return Object.fromEntries(present.map((key) => [key, Number(schema[key])]));
}

/** What `number-bounds.ts` has no mark for: no bounds, or such as cannot be kept. */
function narrowNumber(schema: Schema, types: string[], path: string): Schema {
  const present = BOUNDS.filter((key) => schema[key] !== undefined);
  const beyond = types.includes('number') && present[0];
  if (beyond)
    refuse(`${path}.${beyond}`, `${text(schema[beyond])} with type ${text(schema.type)}`, 'bounds that leave a number between them and need no more than 15 digits, six of them decimals');
  const wrong = present.find((key) => !Number.isSafeInteger(schema[key]));
  if (wrong !== undefined) refuse(`${path}.${wrong}`, text(schema[wrong]), 'a whole number');
  return Object.fromEntries(present.map((key) => [key, schema[key]]));
}
