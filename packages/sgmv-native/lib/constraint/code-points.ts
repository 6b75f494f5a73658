/** Sets of code points as ascending ranges, for character classes of patterns. */
export type CodePoints = readonly (readonly [first: number, last: number])[];

const LAST = 0x10ffff;

export function union(...sets: CodePoints[]): CodePoints {
  const merged: [number, number][] = [];
  for (const [first, last] of sets.flat().toSorted((a, b) => a[0] - b[0])) {
    const previous = merged.at(-1);
    if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

export function complement(set: CodePoints): CodePoints {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [first, last] of union(set)) {
    if (first > next) rest.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST) rest.push([next, LAST]);
  return rest;
}

export const without = (set: CodePoints, other: CodePoints): CodePoints =>
  complement(union(complement(set), other));

const ASCII: CodePoints = [[0, 0x7f]];
const BEYOND_ASCII: CodePoints = [[0x80, LAST]];

const rangeText = ([first, last]: readonly [number, number]): string =>
  first === last ? `\\u{${first.toString(16)}}` : `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`;

/**
 * As a class of a regular expression. XGrammar gets members beyond ASCII wrong, its automata take other characters for
 * them: either all of those are in the set, or they are left out. Undefined: nothing is left.
 */
export function classText(set: CodePoints): string | undefined {
  if (without(BEYOND_ASCII, set).length === 0) return `[^${without(ASCII, set).map(rangeText).join('')}]`;
  const sound = without(set, BEYOND_ASCII);
  return sound.length === 0 ? undefined : `[${sound.map(rangeText).join('')}]`;
}
