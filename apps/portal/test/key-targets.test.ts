import { expect, it } from 'vitest';
import { targetsInWords, targetsProblem } from '@/features/api-keys/targets';

const targets = (...names: string[]) => names.map((target) => ({ id: target, kind: 'ADAPTER' as const, target }));

it('says what a key may name, and counts what is too much for a row', () => {
  expect(targetsInWords(null)).toBe('All');
  expect(targetsInWords(targets('a', 'b', 'c'))).toBe('a, b, c');
  expect(targetsInWords(targets('a', 'b', 'c', 'd', 'e'))).toBe('a, b, c and 2 more');
  expect(targetsInWords([])).toBe('None: all were deleted');
});

it('wants at least one of those that are held to some', () => {
  expect([targetsProblem(null), targetsProblem(['a']), targetsProblem([])]).toEqual([null, null, 'Choose at least one']);
});
