import { expect, it } from 'vitest';
import { formatRelative } from '@/lib/format/time';

const NOW = new Date('2026-03-10T12:00:00Z');
const after = (seconds: number): string => formatRelative(new Date(NOW.getTime() + seconds * 1_000).toISOString(), NOW);
const DAY = 86_400;

it('says of the past what has gone by in full', () => {
  expect(after(-59)).toBe('just now');
  expect(after(-119)).toBe('1 minute ago');
  expect(after(-DAY)).toBe('yesterday');
});

it('says of the future what was asked for, also a moment later', () => {
  expect(after(7 * DAY - 1)).toBe('in 7 days');
  expect(after(90 * DAY - 1)).toBe('in 3 months');
  expect(after(365 * DAY - 1)).toBe('in 12 months');
});
