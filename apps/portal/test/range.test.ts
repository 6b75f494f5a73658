import { describe, expect, it } from 'vitest';
import { daysOf, lastDays, rangeProblem, toInterval } from '@/features/usage/range';

describe('day ranges', () => {
  it('count in UTC, today included', () => {
    expect(lastDays(7, new Date('2026-03-03T23:30:00-05:00'))).toEqual({
      first: '2026-02-26',
      last: '2026-03-04',
    });
  });

  it('hold every day, over leap days and clock changes', () => {
    const days = daysOf({ first: '2028-02-27', last: '2028-04-01' });
    expect(days).toHaveLength(35);
    expect(days[2]).toBe('2028-02-29');
    expect(new Set(days).size).toBe(35);
  });

  it('become half-open intervals', () => {
    expect(toInterval({ first: '2026-12-31', last: '2026-12-31' })).toEqual({
      from: '2026-12-31T00:00:00.000Z',
      to: '2027-01-01T00:00:00.000Z',
    });
  });

  it.each([
    [{ first: '', last: '2026-01-01' }, 'first day'],
    [{ first: '2026-01-02', last: '2026-01-01' }, 'after'],
    [{ first: '2024-01-01', last: '2026-01-01' }, '366'],
    [{ first: '2024-01-01', last: '2024-12-31' }, null],
  ])('are judged: %j', (range, problem) => {
    if (problem === null) expect(rangeProblem(range)).toBeNull();
    else expect(rangeProblem(range)).toContain(problem);
  });
});
