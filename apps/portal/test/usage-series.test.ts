import { describe, expect, it } from 'vitest';
import { isFlat, OTHERS, toChart, type UsageRow } from '@/features/usage/usage-series';

const row = (day: string, target: string, tokens: number): UsageRow => ({
  day,
  target,
  variant: target,
  baseModelId: 'base',
  adapterId: null,
  deploymentId: null,
  requests: 1,
  failedRequests: 0,
  promptTokens: tokens,
  cachedTokens: 0,
  completionTokens: 0,
  amount: '1000000000',
});

it('puts days without usage in the chart and slugs with dots in the legend only', () => {
  const { data, series } = toChart([row('2026-01-02', 'v1.5', 5)], ['2026-01-01', '2026-01-02'], 'tokens');
  expect(data).toEqual([
    { day: '2026-01-01', s0: 0 },
    { day: '2026-01-02', s0: 5 },
  ]);
  expect(series).toMatchObject([{ name: 's0', label: 'v1.5' }]);
});

it('loses nothing when small targets share a series', () => {
  const rows = Array.from({ length: 20 }, (_, index) => row('2026-01-01', `t${index}`, index + 1));
  const { data, series } = toChart(rows, ['2026-01-01'], 'tokens');
  expect(series.map(({ label }) => label)).toEqual(['t19', 't18', 't17', 't16', 't15', 't14', 't13', OTHERS]);
  const stacked = series.reduce((sum, { name }) => sum + Number(data[0]?.[name]), 0);
  expect(stacked).toBe(210);
});

describe('isFlat', () => {
  const series = [{ name: 's0', label: 'a', color: 'gray' }];
  it('is true only where no day has a value', () => {
    expect(isFlat({ data: [{ day: '2026-03-01', s0: 0 }], series })).toBe(true);
    expect(isFlat({ data: [{ day: '2026-03-01', s0: 2 }], series })).toBe(false);
    expect(isFlat({ data: [], series: [] })).toBe(true);
  });
});
