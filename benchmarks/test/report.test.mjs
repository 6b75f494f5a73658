import { describe, expect, it } from 'vitest';
import { decodeFloor, kvBytesPerToken } from '../floor.mjs';
import { drawPlot } from '../plot.mjs';
import { isMet, markdownTable, targetTable } from '../report.mjs';
import { SECTIONS, chooseSections } from '../sections/index.mjs';
import { phaseParts } from '../sections/profile.mjs';

const info = {
  hiddenSize: 4,
  intermediateSize: 8,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headDim: 2,
  vocabSize: 10,
  weightBytes: 1e9,
};
// q 4x4, k and v 2x4, o 4x4, gate and up 8x4, down 4x8; the tied output 10x4.
const PARAMETERS = 2 * (16 + 8 + 8 + 16 + 32 + 32 + 32) + 40;
const WIDTHS = 2 * (8 + 6 + 6 + 8 + 12 + 12 + 12);

describe('floor of a decode step', () => {
  const limits = { read: 10, peaks: { f32: { gigaops: 100 }, bf16: { gigaops: 200 } } };
  const step = { requests: 3, context: 5, adapters: 2, adapterBytes: 5e8, rank: 16 };

  it('is the time to read weights, adapters and KV once', () => {
    const floor = decodeFloor(info, step, limits);
    expect(floor.bytes).toEqual({ weights: 1e9, adapters: 5e8, kv: 3 * 5 * 32 });
    expect(floor.bytesMs).toBeCloseTo(150, 3);
    expect(floor.ms).toBe(floor.bytesMs);
  });

  it('or to do every multiplication and addition, whichever takes longer', () => {
    const slow = { read: 1e9, peaks: { f32: { gigaops: 1e-6 } } };
    const floor = decodeFloor(info, step, slow);
    expect(floor.operations.base.count).toBe(2 * 3 * PARAMETERS);
    expect(floor.operations.lora.count).toBe(2 * 3 * 16 * WIDTHS);
    expect(floor.operations.attention.count).toBe(4 * 3 * 5 * 2 * 2 * 2);
    expect(floor.ms).toBe(floor.operationsMs);
  });

  it('takes the peak of the type the base is multiplied in, and of float32 where that type has none', () => {
    const time = (weightType) =>
      decodeFloor({ ...info, weightType }, { ...step, adapters: 0 }, limits).operationsMs;
    expect(time('bf16')).toBeLessThan(time('f32'));
    expect(time('int8')).toBe(time('f32'));
  });

  it('believes the engine about its KV cache', () => {
    expect(kvBytesPerToken(info)).toBe(2 * 2 * 1 * 2 * 4);
    expect(kvBytesPerToken({ ...info, kvBytesPerToken: 16 })).toBe(16);
  });
});

describe('targets', () => {
  it.each([
    ['target1.distinct/best-peer', 10, 11, 9],
    ['target4.decode/best-peer', 1.2, 1.3, 1.1],
    ['target5.distinct-step/floor', 1.35, 1.2, 1.4],
    ['target6.1b.distinct/identical', 0.9, 0.95, 0.85],
    ['target7.1b.distinct-step/base-step', 1.12, 1.1, 1.2],
    ['target8.mixed-ranks/uniform-rank', 0.97, 1, 0.9],
    ['target9.registered/resident', 0.85, 0.9, 0.8],
    ['target9.hit-ttft/load-time', 1, 0.5, 1.5],
    ['quality.default.greedyDifferentAboveGap', 0, 0, 1],
  ])('%s is met on the right side of %d', (id, target, good, bad) => {
    expect(isMet({ id, target, value: good })).toBe(true);
    expect(isMet({ id, target, value: bad })).toBe(false);
  });

  it('are listed with their spread', () => {
    const row = (id, value, target = null) => ({ id, value, target, unit: 'ratio' });
    const rows = [
      row('target8.a/b', 0.98, 0.97),
      row('target8.a/b.min', 0.9),
      row('target8.a/b.max', 1),
      row('x', 1),
    ];
    expect(targetTable(rows).split('\n').slice(2)).toEqual([
      '| target8.a/b | 0.980 | 0.900–1.00 | ≥ 0.97 | met |',
    ]);
  });

  it('every number of the issue belongs to a section', () => {
    const numbers = SECTIONS.flatMap(({ targets }) => targets).sort((a, b) => a - b);
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('--only', () => {
  it('takes names and numbers', () => {
    const names = chooseSections(SECTIONS, ['zipf', '5', 'target1']).map(({ name }) => name);
    expect(names).toEqual(['serving', 'floor', 'zipf']);
  });

  it('refuses what is not there', () => {
    expect(() => chooseSections(SECTIONS, ['11'])).toThrow(
      '--only: found "11"; expected some of serving, 1, 2',
    );
  });
});

it('a profile counts kernels by phase and leaves loading out', () => {
  const parts = phaseParts(
    [
      '# Overhead  Symbol',
      '    40.00%  [.] sgmv::pack_lora_a',
      '    30.00%  [.] sgmv::(anonymous namespace)::gemm_i8_tile<7, true>   -  -',
      '     6.00%  [.] sgmv::(anonymous namespace)::shrink_i8',
      '     4.00%  [.] sgmv::ThreadPool::wait_for_loop',
      '     9.00%  [k] clear_page_erms',
    ].join('\n'),
  );
  expect(parts.get('base GEMM')).toBeCloseTo(0.75);
  expect(parts.get('shrink')).toBeCloseTo(0.15);
  expect(parts.get('waiting for threads')).toBeCloseTo(0.1);
  expect([...parts.values()].reduce((a, b) => a + b)).toBeCloseTo(1);
});

it('a table keeps its columns when a cell has a bar', () => {
  expect(markdownTable(['a'], [['x|y']])).toBe('| a |\n| --- |\n| x\\|y |');
});

describe('plots', () => {
  const values = [
    { System: 'one', 'new tokens/s': 3, Adapters: 'Distinct' },
    { System: 'two', 'new tokens/s': 5, Adapters: 'Identical' },
  ];

  it('have a bar and its value for each row, in their groups', async () => {
    const svg = await drawPlot('Title', { x: 'new tokens/s', y: 'System', facet: 'Adapters', values });
    for (const text of ['Title', 'one', 'two', 'Distinct', 'Identical']) expect(svg).toContain(`>${text}<`);
    expect(svg).toMatch(/^<svg/);
    expect(svg).not.toContain('NaN');
  });

  it('read field names with dots and brackets as names', async () => {
    const plot = { x: 'a.b [ms]', y: 'System', values: [{ System: 'one', 'a.b [ms]': 7 }] };
    expect(await drawPlot('Title', plot)).toContain('>7<');
  });

  it('leave zeros out of a logarithmic axis', async () => {
    const plot = {
      x: 'KL',
      y: 'n',
      log: true,
      values: [
        { n: 'zero', KL: 0 },
        { n: 'some', KL: 1e-3 },
      ],
    };
    const svg = await drawPlot('Title', plot);
    expect(svg).toContain('>some<');
    expect(svg).not.toContain('>zero<');
  });
});
