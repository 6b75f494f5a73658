/**
 * A schema that need not be kept wholly: what `json-schema.ts` would refuse by name is left out instead, one level at a
 * time, so that the grammar's texts are those of a wider schema. What is no schema at all is left for it to refuse.
 */
import { jsonStringPattern } from './json-string-pattern.js';
import { realWithin } from './number-bounds.js';

type Schema = Record<string, unknown>;

/** What the strict reading knows, in its words. */
export interface KnownKeywords {
  /** By type. */
  typed: Readonly<Record<string, readonly string[]>>;
  /** One of these is the whole of a schema. */
  shapes: readonly string[];
  /** Besides those; they say nothing of the value. */
  silent: ReadonlySet<string>;
}

const BOUNDS: readonly string[] = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
/** Of these, and keywords of a type beside them, the keywords usually say more. */
const COMBINATIONS: readonly string[] = ['anyOf', 'oneOf', 'allOf'];

export function relax(schema: Schema, known: KnownKeywords): Schema {
  const { typed, shapes, silent } = known;
  const kept = (keys: readonly string[]): Schema =>
    Object.fromEntries(Object.entries(schema).filter(([key]) => keys.includes(key) || silent.has(key)));
  const isTyped = Object.values(typed).some((keys) => keys.some((key) => schema[key] !== undefined));
  const shape = shapes.find((key) => schema[key] !== undefined && !(isTyped && COMBINATIONS.includes(key)));
  if (shape === 'allOf' && Array.isArray(schema.allOf) && schema.allOf.length > 1) return kept([]);
  if (shape !== undefined) return kept([shape]);
  const types = [schema.type ?? []].flat();
  const allowed = types.length > 0 ? types.flatMap((type) => typed[String(type)] ?? []) : Object.values(typed).flat();
  const relaxed = kept(['type', ...allowed]);
  return relaxObject(relaxString(relaxBounds(relaxed, types)));
}

function relaxBounds(schema: Schema, types: readonly unknown[]): Schema {
  const isReal = types.includes('number');
  if (isReal && realWithin(schema)) return schema;
  return Object.fromEntries(Object.entries(schema).filter(([key, value]) => !BOUNDS.includes(key) || (!isReal && Number.isSafeInteger(value))));
}

/** A length, a pattern and a format do not go together; a length is the most telling, a format the least. */
function relaxString(schema: Schema): Schema {
  const { minLength, maxLength, pattern, format, ...rest } = schema;
  if (minLength !== undefined || maxLength !== undefined) return { ...rest, minLength, maxLength };
  if (typeof pattern === 'string' && isKept(pattern)) return { ...rest, pattern };
  return pattern === undefined ? { ...rest, format } : rest;
}

function isKept(pattern: string): boolean {
  try {
    jsonStringPattern(pattern, 'pattern');
    return true;
  } catch {
    return false;
  }
}

/** Names that need an escape cannot be written, and those that nothing describes could not be required. */
function relaxObject(schema: Schema): Schema {
  const { properties, required } = schema;
  if (properties === null || typeof properties !== 'object') return { ...schema, required: undefined };
  const described = Object.entries(properties).filter(([name]) => JSON.stringify(name) === `"${name}"`);
  const names = new Set(described.map(([name]) => name));
  return {
    ...schema,
    properties: Object.fromEntries(described),
    required: Array.isArray(required) ? required.filter((name) => names.has(String(name))) : undefined,
  };
}
