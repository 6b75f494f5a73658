/** Percentiles, medians and spreads of what was measured. */

/** Nearest rank: the smallest value with at least a fraction `p` of all values at or below it. */
export function percentile(values, p) {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Of the ratios round by round: a round in which the machine was slow is slow for both sides. */
export const ratios = (over, under) => over.map((value, round) => value / under[round]);

/** Rows of one measure over several rounds: the median, and with more than one round the lowest and highest. */
export function spreadRows(id, values, unit, target = null) {
  const row = (suffix, value) => ({ id: `${id}${suffix}`, value, target: null, unit });
  const rows = [{ ...row('', median(values)), target }];
  if (values.length > 1) rows.push(row('.min', Math.min(...values)), row('.max', Math.max(...values)));
  return rows;
}

const FRACTIONS = { P50: 0.5, P90: 0.9, P99: 0.99 };

/** Rows `<id>.ttftMsP50` … of all requests of all rounds. */
export function latencyRows(id, runs) {
  return ['ttftMs', 'tpotMs'].flatMap((name) => {
    const all = runs.flatMap((run) => run[name] ?? []).filter(Number.isFinite);
    if (all.length === 0) return [];
    return Object.entries(FRACTIONS).map(([suffix, fraction]) => ({
      id: `${id}.${name}${suffix}`,
      value: percentile(all, fraction),
      target: null,
      unit: 'ms',
    }));
  });
}
