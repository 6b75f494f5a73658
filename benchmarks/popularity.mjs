/**
 * Which adapter each of n requests uses, after Punica's four popularities. -1 is the base model.
 * Skewed: geometric segment sizes 1, 1.5, 2.25 … as in Punica's benchmark.
 */
export const POPULARITIES = {
  base: (n) => Array(n).fill(-1),
  identical: (n) => Array(n).fill(0),
  uniform: (n) => Array.from({ length: n }, (_, i) => i % Math.ceil(Math.sqrt(n))),
  skewed(n) {
    const counts = [];
    for (let size = 1, left = n; left > 0; size *= 1.5) {
      counts.push(Math.min(left, Math.max(1, Math.round(size))));
      left -= counts.at(-1);
    }
    return counts.flatMap((count, adapter) => Array(count).fill(adapter));
  },
  distinct: (n) => Array.from({ length: n }, (_, i) => i),
};
