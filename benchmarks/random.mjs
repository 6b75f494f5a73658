/** Seedable random numbers: the same workload on every machine and for every system. */

/** mulberry32: small, seedable, good enough for weights and prompts. Uniform in [0, 1). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` bf16 values N(0, scale²) as their bits, by Box–Muller. */
export function gaussianBf16(count, scale, next) {
  const values = new Float32Array(count + 1);
  for (let i = 0; i < count; i += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    values[i] = radius * Math.cos(angle);
    values[i + 1] = radius * Math.sin(angle);
  }
  const bits = new Uint32Array(values.buffer);
  return Uint16Array.from({ length: count }, (_, i) => bits[i] >>> 16);
}

/** Draws ranks 0 … n-1 with probability proportional to 1 / (rank + 1)^alpha. */
export function zipf(n, alpha, next) {
  const ends = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) ends[i] = total += (i + 1) ** -alpha;
  return () => {
    const point = next() * total;
    let low = 0;
    for (let high = n - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (ends[middle] > point) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
