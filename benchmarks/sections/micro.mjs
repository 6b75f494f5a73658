/** Single operations at the shapes of a step, beside what the machine could do: what holds a step back. */
import { limitRows, measureOps } from '../limits.mjs';

export const section = {
  name: 'micro',
  targets: [],
  async run(context) {
    context.note('single operations');
    const { limits, ops } = await measureOps();
    const percent = (part) => `${(100 * part).toFixed(0)} %`;
    return {
      rows: [
        ...limitRows([limits]),
        ...ops.flatMap(({ op, microseconds, ofPeak, ofRead }) => [
          { id: `micro.${op}`, value: microseconds, target: null, unit: 'us' },
          { id: `micro.${op}.of-limit`, value: Math.max(ofPeak, ofRead), target: null, unit: 'ratio' },
        ]),
      ],
      tables: [
        {
          name: 'micro',
          title: 'Single operations, and the part of the machine’s peak and read bandwidth they reach',
          columns: ['Operation', 'µs', 'GFLOP/s', 'of peak', 'GB/s', 'of reading'],
          rows: ops.map(({ op, microseconds, gflops, gigabytesPerSecond, ofPeak, ofRead }) => [
            op,
            microseconds.toFixed(1),
            gflops.toFixed(1),
            percent(ofPeak),
            gigabytesPerSecond.toFixed(1),
            percent(ofRead),
          ]),
          plot: {
            x: 'of the nearer limit',
            y: 'Operation',
            values: ops.map(({ op, ofPeak, ofRead }) => ({
              Operation: op,
              'of the nearer limit': Math.max(ofPeak, ofRead),
            })),
          },
        },
      ],
    };
  },
};
