import { describe, expect, it } from 'vitest';
import { klDivergence } from '../logits.mjs';
import { POPULARITIES } from '../popularity.mjs';
import { uniform, zipf } from '../random.mjs';
import { latencyRows, median, percentile, ratios, spreadRows } from '../statistics.mjs';
import { randomPrompts, requestLatency } from '../workload.mjs';

describe('percentile', () => {
  it('is a value that was measured, by nearest rank', () => {
    const values = [40, 10, 30, 20];
    expect([0.25, 0.5, 0.51, 0.99].map((p) => percentile(values, p))).toEqual([10, 20, 30, 40]);
  });

  it('sorts by size, not by text', () => {
    expect(percentile([9, 100, 20], 0.99)).toBe(100);
  });

  it('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

it('median lies between the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([10, 9, 100])).toBe(10);
});

it('ratios compare within a round', () => {
  expect(ratios([10, 40], [5, 10])).toEqual([2, 4]);
});

it('a measure of several rounds has its spread beside it, and only the median has the target', () => {
  expect(spreadRows('x', [3, 1, 2], 'ms', 9)).toEqual([
    { id: 'x', value: 2, target: 9, unit: 'ms' },
    { id: 'x.min', value: 1, target: null, unit: 'ms' },
    { id: 'x.max', value: 3, target: null, unit: 'ms' },
  ]);
  expect(spreadRows('x', [3], 'ms')).toHaveLength(1);
});

it('latencies of all rounds go into one percentile; systems without any have no rows', () => {
  const rows = latencyRows('a', [
    { ttftMs: [1, 2], tpotMs: [] },
    { ttftMs: [3], tpotMs: [] },
  ]);
  expect(rows.map(({ id, value }) => [id, value])).toEqual([
    ['a.ttftMsP50', 2],
    ['a.ttftMsP90', 3],
    ['a.ttftMsP99', 3],
  ]);
});

it('time per output token leaves the first one out', () => {
  expect(requestLatency([50, 60, 80])).toEqual({ ttftMs: 50, tpotMs: 15 });
});

describe('workload', () => {
  it('gives the same prompts for the same round and others for another', () => {
    const [one, same, other] = [1, 1, 2].map((round) => randomPrompts(3, 5, round));
    expect(one).toEqual(same);
    expect(one).not.toEqual(other);
  });

  it('stays inside a small vocabulary and above its special tokens', () => {
    const tokens = randomPrompts(20, 50, 1, 512).flat();
    expect(Math.min(...tokens)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...tokens)).toBeLessThan(512);
  });

  it('draws Zipf ranks as often as the law says', () => {
    const draw = zipf(1000, 1, uniform(3));
    const counts = new Array(1000).fill(0);
    for (let i = 0; i < 100_000; i++) counts[draw()]++;
    const harmonic = Array.from({ length: 1000 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
    for (const rank of [0, 1, 9]) {
      expect(counts[rank] / 100_000).toBeCloseTo(1 / (rank + 1) / harmonic, 2);
    }
    expect(counts.slice(500).some((count) => count > 0)).toBe(true);
  });

  it.each(Object.entries(POPULARITIES))('%s names an adapter for every request', (_, assign) => {
    expect(assign(32)).toHaveLength(32);
  });
});

describe('KL divergence', () => {
  it('is zero for distributions that differ by a constant only', () => {
    expect(klDivergence([1, 2, 3], [101, 102, 103])).toBeCloseTo(0, 12);
  });

  it('is the sum of p log(p / q)', () => {
    const log = (p) => p.map(Math.log);
    const expected = 0.75 * Math.log(0.75 / 0.5) + 0.25 * Math.log(0.25 / 0.5);
    expect(klDivergence(log([0.75, 0.25]), log([0.5, 0.5]))).toBeCloseTo(expected, 12);
  });
});
