import { describe, expect, it } from 'vitest';
import { chooseVariant, type Weighted } from '../src/core/deployments/choose-variant.js';

const DEPLOYMENT = '0198d000-0000-7000-8000-000000000000';
const idOf = (name: string): string => `0198d000-0000-7000-8000-${name.padStart(12, '0')}`;
const variants = (weights: Record<string, number>): Weighted[] => Object.entries(weights).map(([name, weight]) => ({ id: idOf(name), weight }));
const USERS = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);

const choices = (weights: Record<string, number>, deployment = DEPLOYMENT): string[] => {
  const given = variants(weights);
  return USERS.map((user) => chooseVariant(deployment, given, user).id);
};

/** Pearson's statistic of what was chosen against what the weights say. */
function chiSquare(weights: Record<string, number>, chosen: string[]): number {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return variants(weights)
    .filter(({ weight }) => weight > 0)
    .reduce((sum, { id, weight }) => {
      const expected = (chosen.length * weight) / total;
      return sum + (chosen.filter((one) => one === id).length - expected) ** 2 / expected;
    }, 0);
}

describe('the choice of a variant', () => {
  // The keys are fixed, so these numbers never change; a good hash exceeds the bound with one set of keys in 1000.
  it.each([
    ['halves', { a: 50, b: 50 }, 10.83],
    ['a small share', { a: 1, b: 99 }, 10.83],
    ['the ends of the range', { a: 1000, b: 1 }, 10.83],
    ['three', { a: 1, b: 2, c: 3 }, 13.82],
    ['sixteen', Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`v${index}`, index + 1])), 37.7],
  ])('follows the weights: %s', (_, weights: Record<string, number>, bound) => {
    expect(chiSquare(weights, choices(weights))).toBeLessThan(bound);
  });

  it('never falls on a weight of 0', () => {
    expect(new Set(choices({ a: 0, b: 1, c: 0 }))).toEqual(new Set([idOf('b')]));
  });

  it('is the same for the same key, whatever order the variants come in', () => {
    expect(choices({ a: 3, b: 5, c: 2 })).toEqual(choices({ c: 2, b: 5, a: 3 }));
  });

  it('stays what it is: another hash would move users', () => {
    const letters = choices({ a: 50, b: 50 }).slice(0, 12).map((id) => id.at(-1));
    expect(letters.join('')).toBe('bbabbbbabbbb');
  });

  it('does not depend on the unit of the weights', () => {
    expect(choices({ a: 10, b: 30 })).toEqual(choices({ a: 250, b: 750 }));
  });

  it('is independent from one deployment to the next', () => {
    const [one, two] = [choices({ a: 1, b: 1 }), choices({ a: 1, b: 1 }, idOf('other'))];
    const same = one.filter((id, index) => id === two[index]).length;
    expect(Math.abs(same / USERS.length - 0.5)).toBeLessThan(0.02);
  });

  it('moves only users to the variant whose weight grows, and as few as that takes', () => {
    const [before, after] = [choices({ a: 50, b: 50 }), choices({ a: 90, b: 50 })];
    const moved = after.filter((id, index) => id !== before[index]);
    expect(new Set(moved)).toEqual(new Set([idOf('a')]));
    expect(Math.abs(moved.length / USERS.length - (90 / 140 - 0.5))).toBeLessThan(0.01);
  });

  it('moves only the users of the variant whose weight shrinks', () => {
    const [before, after] = [choices({ a: 50, b: 30, c: 20 }), choices({ a: 10, b: 30, c: 20 })];
    const movedFrom = before.filter((id, index) => id !== after[index]);
    expect(new Set(movedFrom)).toEqual(new Set([idOf('a')]));
  });

  it('leaves the users of the others where they are when one comes or goes', () => {
    const [two, three] = [choices({ a: 1, b: 1 }), choices({ a: 1, b: 1, c: 1 })];
    for (const [index, id] of three.entries()) if (id !== idOf('c')) expect(id).toBe(two[index]);
    expect(Math.abs(three.filter((id) => id === idOf('c')).length / USERS.length - 1 / 3)).toBeLessThan(0.01);
  });

  it('takes any key', () => {
    const given = variants({ a: 1, b: 1 });
    for (const key of ['', ' ', 'ä', '\0', 'x'.repeat(100_000), '🍎']) expect(given).toContain(chooseVariant(DEPLOYMENT, given, key));
  });

  it('says so when there is nothing to choose', () => {
    expect(() => chooseVariant(DEPLOYMENT, variants({ a: 0 }), 'user')).toThrow('no variant has a weight above 0');
  });
});
