/**
 * A grammar of the numbers within two others, as rules of an automaton: what a rule goes on with is told by its next
 * character alone. XGrammar's parser takes too much where alternatives of different lengths begin alike.
 */

/** Digits of a whole number that has no upper bound: as many as a double keeps. */
const DIGITS_MAX = 15;

/** How what has been written compares to as many digits of a bound. */
type Order = -1 | 0 | 1;

interface Bound {
  whole: string;
  decimals: string;
}

interface Place {
  part: 'whole' | 'decimals';
  /** Digits of the part so far. */
  digits: number;
  low: Order;
  high: Order;
}

/** Numbers without a sign, in steps of the last of `places` decimals. `last` null: without end. */
export class NumberAutomaton {
  readonly rules: string[] = [];
  /** The rule to begin with. */
  readonly start: string;
  private readonly names = new Map<string, string | null>();
  private readonly low: Bound;
  private readonly high: Bound | null;

  constructor(
    private readonly name: string,
    first: number,
    last: number | null,
    private readonly places: number,
  ) {
    this.low = boundOf(first, places);
    this.high = last === null ? null : boundOf(last, places);
    this.start = this.rule({ part: 'whole', digits: 0, low: 0, high: this.high ? 0 : -1 }) ?? '""';
  }

  /** Its name; null: nothing can be written from there on. */
  private rule(place: Place): string | null {
    const key = Object.values(place).join();
    const known = this.names.get(key);
    if (known !== undefined) return known;
    const choices = place.part === 'whole' ? this.afterWhole(place) : this.afterDecimals(place);
    const name = choices.length === 0 ? null : `${this.name}_${this.names.size}`;
    this.names.set(key, name);
    if (name) this.rules.push(`${name} ::= ${choices.join(' | ')}`);
    return name;
  }

  private afterWhole(place: Place): string[] {
    const { digits, low, high } = place;
    // Nothing follows a 0 but decimals: it is a part of its own.
    const room = this.high ? this.high.whole.length : DIGITS_MAX;
    const more = digits < room ? this.digitsFrom(place, digits === 0 ? 1 : 0) : [];
    const zero = digits === 0 ? this.end('"0" ', next(low, 0, this.low.whole, 0), next(high, 0, this.high?.whole, 0), 1) : [];
    return [...more, ...zero, ...(digits === 0 ? [] : this.end('', low, high, digits))];
  }

  /** Of a whole number of so many digits. */
  private end(before: string, low: Order, high: Order, digits: number): string[] {
    const [least, most] = [ended(low, digits, this.low.whole), this.high ? ended(high, digits, this.high.whole) : -1];
    if (least < 0 || most > 0) return [];
    const decimals = this.rule({ part: 'decimals', digits: 0, low: least, high: most });
    const isWithin = least > 0 || /^0*$/.test(this.low.decimals);
    return [...(isWithin ? [before || '""'] : []), ...(decimals ? [`${before}"." ${decimals}`] : [])];
  }

  private afterDecimals(place: Place): string[] {
    const { digits, low } = place;
    const more = digits < this.places ? this.digitsFrom(place, 0) : [];
    // The decimals that are left out are zeros.
    const mayEnd = digits > 0 && (low > 0 || /^0*$/.test(this.low.decimals.slice(digits)));
    return mayEnd ? [...more, '""'] : more;
  }

  /** Digits that lead to the same place are one choice. */
  private digitsFrom({ part, digits, low, high }: Place, least: number): string[] {
    const targets = new Map<string, number[]>();
    for (let digit = least; digit <= 9; digit++) {
      const place = { part, digits: digits + 1, low: next(low, digit, this.low[part], digits), high: next(high, digit, this.high?.[part], digits) };
      const isOut = part === 'decimals' && (place.low < 0 || place.high > 0);
      const target = isOut ? null : this.rule(place);
      if (target) targets.set(target, [...(targets.get(target) ?? []), digit]);
    }
    return [...targets].map(([target, members]) => `[${members.join('')}] ${target}`);
  }
}

const boundOf = (steps: number, places: number): Bound => {
  const digits = String(steps).padStart(places + 1, '0');
  const point = digits.length - places;
  return { whole: digits.slice(0, point), decimals: digits.slice(point) };
};

/** After one digit more; `bound` undefined: there is none, and all is below it. */
function next(order: Order, digit: number, bound: string | undefined, at: number): Order {
  if (bound === undefined) return order;
  if (at >= bound.length) return 1;
  return order === 0 ? (Math.sign(digit - Number(bound[at])) as Order) : order;
}

/** The number with more digits is the larger one. */
const ended = (order: Order, digits: number, bound: string): Order => (digits < bound.length ? -1 : order);
