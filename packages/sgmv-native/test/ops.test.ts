/** SGMV against a plain loop in float64, with mixed ranks, types and popularity, on poisoned outputs. */
import { describe, expect, test } from 'vitest';
import { cpuInfo, sgmvExpand, sgmvShrink, EngineError, type FactorSegment } from '../lib/index.js';
import { Random } from './random.js';

const asBf16 = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
const fromBf16 = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;

interface Factor {
  segment: FactorSegment;
  /** What the stored numbers are worth. */
  values: number[];
}

function factor(random: Random, tokenBegin: number, tokenEnd: number, rank: number, width: number): Factor {
  const raw = Array.from({ length: rank * width }, () => random.next() * 2 - 1);
  const range = { tokenBegin, tokenEnd, rank };
  if (random.next() < 0.5) {
    const data = Float32Array.from(raw);
    return { segment: { ...range, data }, values: [...data] };
  }
  const data = Uint16Array.from(raw, asBf16);
  return { segment: { ...range, data, type: 'bf16' }, values: [...data].map(fromBf16) };
}

/** Segments with gaps between them (tokens of the base model), a popular one and many of one token. */
function ranges(random: Random, tokens: number): [number, number][] {
  const all: [number, number][] = [];
  for (let at = 0; at < tokens;) {
    const length = Math.min(tokens - at, random.next() < 0.5 ? 1 : random.between(1, 12));
    if (random.next() < 0.8) all.push([at, at + length]);
    at += length;
  }
  return all;
}

describe.each(cpuInfo().isas)('%s', (isa) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('shrink and expand, mix %i', (seed) => {
    const random = new Random(seed);
    const [tokens, inFeatures, outFeatures] = [
      random.between(1, 64),
      random.between(1, 200),
      random.between(1, 200),
    ];
    const segments = ranges(random, tokens).map(([begin, end]) => {
      const rank = random.pick([1, 2, 3, 4, 8, 16, 31, 64, 128, 256]);
      return {
        a: factor(random, begin, end, rank, inFeatures),
        b: factor(random, begin, end, rank, outFeatures),
        scale: random.next() * 4,
      };
    });
    const x = Float32Array.from({ length: tokens * inFeatures }, () => random.next() * 2 - 1);
    const elements = segments.reduce(
      (sum, { a }) => sum + (a.segment.tokenEnd - a.segment.tokenBegin) * a.segment.rank,
      0,
    );
    const v = new Float32Array(elements).fill(Number.NaN);
    const options = { isa, threads: random.between(1, 3) };
    sgmvShrink(
      x,
      inFeatures,
      segments.map(({ a }) => a.segment),
      v,
      options,
    );

    let at = 0;
    for (const { a } of segments) {
      const { tokenBegin, tokenEnd, rank } = a.segment;
      for (let token = tokenBegin; token < tokenEnd; token++)
        for (let r = 0; r < rank; r++) {
          let sum = 0;
          for (let i = 0; i < inFeatures; i++)
            sum += x[token * inFeatures + i]! * a.values[r * inFeatures + i]!;
          expect(Math.abs(v[at++]! - sum)).toBeLessThan(2e-5 * Math.sqrt(inFeatures) + 1e-6);
        }
    }
    expect(at).toBe(v.length);

    const POISON = 1e6;
    const y = new Float32Array(tokens * outFeatures).fill(POISON);
    for (const { b } of segments)
      y.fill(0.5, b.segment.tokenBegin * outFeatures, b.segment.tokenEnd * outFeatures);
    sgmvExpand(
      v,
      outFeatures,
      segments.map(({ b, scale }) => ({ ...b.segment, scale })),
      y,
      options,
    );
    const touched = new Set<number>();
    at = 0;
    for (const { b, scale } of segments) {
      const { tokenBegin, tokenEnd, rank } = b.segment;
      for (let token = tokenBegin; token < tokenEnd; token++, at += rank)
        for (let o = 0; o < outFeatures; o++) {
          let sum = 0;
          let size = 0;
          for (let r = 0; r < rank; r++) {
            sum += v[at + r]! * b.values[o * rank + r]!;
            size += Math.abs(v[at + r]!);
          }
          touched.add(token * outFeatures + o);
          expect(Math.abs(y[token * outFeatures + o]! - (0.5 + scale * sum))).toBeLessThan(
            1e-6 * (1 + scale * size),
          );
        }
    }
    y.forEach((value, i) => touched.has(i) || expect(value).toBe(POISON));
  });
});

test('shapes that do not fit are refused', () => {
  const data = new Float32Array(8);
  const shrink =
    (segment: Partial<FactorSegment>, v = new Float32Array(4)) =>
    () =>
      sgmvShrink(new Float32Array(8), 4, [{ tokenBegin: 0, tokenEnd: 2, rank: 2, data, ...segment }], v);
  shrink({})();
  for (const wrong of [
    { rank: 3 },
    { rank: 0 },
    { tokenEnd: 3 },
    { tokenBegin: -1 },
    { tokenBegin: 3 },
    { data: new Float32Array(7) },
  ])
    expect(shrink(wrong), JSON.stringify(wrong)).toThrow(EngineError);
  expect(shrink({}, new Float32Array(3))).toThrow(EngineError);
});
