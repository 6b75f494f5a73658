/**
 * Numbers within bounds. XGrammar's grammars of them are too wide (of whole ones from 0 to 120 it takes 129), and of some
 * bounds it has none: a mark stands for the range in the schema, and a rule of ours takes its place in the grammar that
 * comes of it. Real numbers are written without an exponent, and with as many decimals as keep what is next to a bound
 * apart from it in a double.
 */
import { NumberAutomaton } from './number-automaton.js';

type Schema = Record<string, unknown>;

/** Decimals, unless a bound has more. */
const DECIMALS = 6;
/** A double tells whole numbers up to this one apart. */
const WHOLE_MAX = Number.MAX_SAFE_INTEGER;

/** In steps of the last decimal, both ends included; null: there is no such end. */
interface Range {
  first: number | null;
  last: number | null;
  decimals: number;
}

/** A control character: no property can be called that. */
const MARK = '\u0001real ';
/** As XGrammar writes the constant. */
const MARKS = /"\\"\\\\u0001real ([-\d:]+)\\""/g;

export const isMark = (value: unknown): boolean => typeof value === 'string' && value.startsWith(MARK);

/** A schema with a mark that allows what the bounds of `schema` do. null: it has none, or such as cannot be kept. */
export const realWithin = (schema: Schema): Schema | null => markOf(rangeOf(schema, DECIMALS));

/** The same of whole numbers; of bounds that are none themselves, null. */
export function wholeWithin(schema: Schema): Schema | null {
  const range = rangeOf(schema, 0);
  return range?.decimals === 0 ? markOf(range) : null;
}

function markOf(range: Range | null): Schema | null {
  if (!range || (range.first !== null && range.last !== null && range.first > range.last)) return null;
  return { const: `${MARK}${range.first ?? ''}:${range.last ?? ''}:${range.decimals}` };
}

/** `least`: decimals there are at least. */
function rangeOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema, least: number): Range | null {
  const bounds = [minimum, exclusiveMinimum, maximum, exclusiveMaximum].filter((bound) => bound !== undefined);
  if (bounds.length === 0 || !bounds.every((bound) => typeof bound === 'number')) return null;
  const places = bounds.map(decimalsOf);
  const decimals = Math.max(least, ...places.map((count) => count ?? Infinity));
  const step = (bound: unknown, next: number): number[] => (bound === undefined ? [] : [scaled(Number(bound), decimals) + next]);
  const firsts = [...step(minimum, 0), ...step(exclusiveMinimum, 1)];
  const lasts = [...step(maximum, 0), ...step(exclusiveMaximum, -1)];
  if (![...firsts, ...lasts].every((end) => Math.abs(end) <= WHOLE_MAX)) return null;
  return { first: firsts.length > 0 ? Math.max(...firsts) : null, last: lasts.length > 0 ? Math.min(...lasts) : null, decimals };
}

/** Of a number as JSON writes it; null: with an exponent. */
function decimalsOf(bound: number): number | null {
  const written = /^-?\d+(?:\.(\d+))?$/.exec(String(bound));
  return written ? (written[1]?.length ?? 0) : null;
}

/** From the digits themselves: a product could be the neighbour of what is written. */
function scaled(bound: number, decimals: number): number {
  if (!Number.isFinite(decimals)) return Infinity;
  const [whole = '', rest = ''] = String(bound).split('.');
  return Number(whole + rest.padEnd(decimals, '0'));
}

export const hasMarks = (grammar: string): boolean => grammar.includes('\\u0001real ');

export function withoutMarks(grammar: string): string {
  const ranges = [...new Set([...grammar.matchAll(MARKS)].map(([, range]) => range!))];
  const name = (range: string): string => `real_within_${ranges.indexOf(range)}`;
  const rules = ranges.flatMap((range) => rulesOf(name(range), range));
  return `${grammar.replaceAll(MARKS, (_mark, range: string) => name(range))}\n${rules.join('\n')}\n`;
}

function rulesOf(name: string, range: string): string[] {
  const [first = null, last = null, decimals] = range.split(':').map((end) => (end === '' ? null : Number(end)));
  const places = decimals ?? DECIMALS;
  // 0 is written without a sign.
  const below = last === null ? 1 : Math.max(-last, 1);
  const negative = first === null || first <= -below ? new NumberAutomaton(`${name}_below`, below, first === null ? null : -first, places) : null;
  const positive = last === null || last >= 0 ? new NumberAutomaton(`${name}_above`, Math.max(first ?? 0, 0), last, places) : null;
  const choices = [...(negative ? [`"-" ${negative.start}`] : []), ...(positive ? [positive.start] : [])];
  return [`${name} ::= ${choices.join(' | ')}`, ...(negative?.rules ?? []), ...(positive?.rules ?? [])];
}
