/** The types that a function's schema allows a parameter, by which the bare text of its value is told as JSON. */
import { parseJson } from '../../../base/parse-json.js';
import { jsonWord } from './json-words.js';
import type { Schema } from './schema-definition.js';

/** null: nothing says so. */
export type Types = ReadonlySet<string> | null;

/** References may go in circles. */
const DEPTH_MAX = 16;

export class ParameterTypes {
  constructor(private readonly schema: Schema = {}) {}

  of(key: string): Types {
    const { properties } = this.resolved(this.schema);
    return isSchema(properties) && Object.hasOwn(properties, key) ? this.typesOf(properties[key], 0) : null;
  }

  private typesOf(schema: unknown, depth: number): Types {
    if (!isSchema(schema) || depth > DEPTH_MAX) return null;
    const { type, $ref, anyOf, oneOf, allOf } = schema;
    if (type !== undefined) return new Set([type].flat().map(String));
    if (schema.const !== undefined) return new Set([typeOf(schema.const)]);
    if (Array.isArray(schema.enum)) return new Set(schema.enum.map(typeOf));
    const inner = (one: unknown): Types => this.typesOf(one, depth + 1);
    if (typeof $ref === 'string') return inner(this.at($ref));
    const choices = anyOf ?? oneOf;
    if (Array.isArray(choices)) return union(choices.map(inner));
    return Array.isArray(allOf) ? (allOf.map(inner).find((types) => types !== null) ?? null) : null;
  }

  private resolved(schema: Schema): Schema {
    const target = typeof schema.$ref === 'string' ? this.at(schema.$ref) : undefined;
    return isSchema(target) ? { ...target, ...schema } : schema;
  }

  /** What a reference within the schema points to. */
  private at(reference: string): unknown {
    const [root, ...path] = reference.split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (root !== '#') return undefined;
    return path.reduce<unknown>((found, key) => (isSchema(found) && Object.hasOwn(found, key) ? found[key] : undefined), this.schema);
  }
}

/** Whether a value can be nothing but a text. */
export const isText = (types: Types): boolean => types?.size === 1 && types.has('string');

/** The value as JSON where that is of a type that is allowed; else it is a text, as it is. */
export function jsonOf(text: string, types: Types): string {
  const word = text.trim();
  const json = types === null ? word : (jsonWord(word) ?? word);
  const value = parseJson(json);
  return value !== undefined && typeof value !== 'string' && allows(types, value) ? json : JSON.stringify(text);
}

const allows = (types: Types, value: unknown): boolean => types === null || types.has(typeOf(value)) || (types.has('integer') && Number.isInteger(value));

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const union = (all: readonly Types[]): Types => all.reduce((one, other) => one && other && new Set([...one, ...other]), new Set());

const isSchema = (value: unknown): value is Schema => value !== null && typeof value === 'object' && !Array.isArray(value);
