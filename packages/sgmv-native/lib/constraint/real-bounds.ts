/**
 * Real numbers between two whole ones. XGrammar's grammars of them are too wide, by what is between a bound and the next
 * number beyond it: so its bounds are one further in, and that makes them right. Of a single step from one number to the
 * next it has no grammar; a mark stands for that in the schema, and is replaced in the grammar that comes of it.
 */
type Schema = Record<string, unknown>;

interface Bound {
  value: number;
  isIncluded: boolean;
}

/** Of larger ones a double has no place for the six decimals: what is just below a bound would be the bound. */
const LARGEST = 1e9;

/** A control character: no property can be called that. */
const MARK = '\u0001real ';
/** As XGrammar writes the constant. */
const MARKS = /"\\"\\\\u0001real (-?\d+)\\""/g;

export const isMark = (value: unknown): boolean => typeof value === 'string' && value.startsWith(MARK);

/** A schema, perhaps with marks, that allows what `schema` does. null: it has no two bounds, or such as cannot be kept. */
export function realWithin(schema: Schema): Schema | null {
  const least = boundOf(schema.minimum, schema.exclusiveMinimum);
  const most = boundOf(schema.maximum, schema.exclusiveMaximum);
  if (!least || !most || least.value >= most.value) return null;
  // These are the innermost of their side of 0, and a step begins with its first number; with -0.0 that before 0.
  if ((least.value >= 0 && !least.isIncluded) || (most.value <= 0 && !most.isIncluded)) return null;
  const ends = [least, most].filter((bound) => bound.isIncluded).map(({ value }) => ({ const: value }));
  const positive = most.value > 0 ? steps(Math.max(least.value, 0), most.value) : [];
  const negative = least.value < 0 ? negativeSteps(Math.max(-most.value, 0), -least.value) : [];
  return { anyOf: [...positive, ...negative, ...ends] };
}

function boundOf(included: unknown, excluded: unknown): Bound | null {
  const [value, other] = [included, excluded].filter((one) => one !== undefined);
  const isKept = typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= LARGEST && other === undefined;
  return isKept ? { value, isIncluded: included !== undefined } : null;
}

/** From `first` to just below `end`. */
const steps = (first: number, end: number): Schema[] =>
  end - first === 1 ? [{ const: `${MARK}${first}` }] : [{ type: 'number', minimum: first, maximum: end - 1 }];

/** The same on the other side of 0, where XGrammar leaves out the first step. */
function negativeSteps(first: number, end: number): Schema[] {
  if (first === 0) return [{ const: `${MARK}-0` }, ...(end > 1 ? negativeSteps(1, end) : [])];
  return end - first === 1 ? [{ const: `${MARK}-${first}` }] : [{ type: 'number', minimum: 1 - end, maximum: -first }];
}

export const hasMarks = (grammar: string): boolean => grammar.includes('\\u0001real ');

/** A number with up to six decimals, as XGrammar has them. There is no "-0" alone. */
export function withoutMarks(grammar: string): string {
  const numbers = new Set([...grammar.matchAll(MARKS)].map(([, number]) => number!));
  const name = (number: string): string => `real_step_${number.replace('-', 'minus_')}`;
  const rule = (number: string): string => {
    const decimals = '"." [0-9] [0-9]? [0-9]? [0-9]? [0-9]? [0-9]?';
    return `${name(number)} ::= "${number}" ${number === '-0' ? decimals : `(${decimals})?`}\n`;
  };
  return `${grammar.replaceAll(MARKS, (_mark, number: string) => name(number))}\n${[...numbers].map(rule).join('')}`;
}
