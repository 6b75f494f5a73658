/**
 * `npm run bench -- engine [--quick] [--json FILE]`: measures this checkout. Build first (`npm start` or `npm test`).
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean' },
    json: { type: 'string' },
    model: { type: 'string' },
    rank: { type: 'string' },
    batch: { type: 'string' },
  },
});
const [what = 'engine'] = positionals;
if (what !== 'engine') {
  console.error(`Unknown benchmark "${what}". There is: engine.`);
  process.exit(2);
}

const { benchEngine } = await import('../benchmarks/engine.mjs');
const rows = await benchEngine({
  quick: values.quick,
  model: values.model,
  rank: values.rank ? Number(values.rank) : undefined,
  batch: values.batch ? Number(values.batch) : undefined,
});
console.table(
  rows.map(({ id, value, target, unit }) => ({
    id,
    value: Number(value.toFixed(2)),
    target: target ?? '',
    unit,
  })),
);
if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
