/**
 * `npm run bench -- engine|peers`: measures this checkout; build first (`npm start` or `npm test`).
 *   engine   everything about our engine; beside the peers too, as far as they are installed
 *   peers    installs the peers into .aril/peers and runs both sides in turns
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../benchmarks/usage-error.mjs';

const HELP = `Usage: npm run bench -- engine|peers [options]

  --quick            one short round: does everything run?
  --rounds N         how often each system takes its turn (default 3, or 1 with --quick)
  --only ID,...      sections or targets: serving (1, 2, 3, 10), single (4), floor (5), billion (6, 7), ranks (8),
                     zipf (9), quality, micro, profile
  --json FILE        rows {"id", "value", "target", "unit"}
  --report DIR       a markdown file and a plot per table, named by --name (default: the date)
  --name NAME
  --model FILE       other weights than the catalog's
  --weights, --adapters, --kv TYPE   the engine's weightType, adapterType and kvType
  --threads N, --isa NAME            as for the engine
  --peers A,B        of llama, vllm, peft: which to install and run (default all)
`;

const OPTIONS = {
  ...Object.fromEntries(
    [
      'rounds',
      'only',
      'json',
      'report',
      'name',
      'model',
      'weights',
      'adapters',
      'kv',
      'threads',
      'isa',
      'peers',
    ].map((name) => [name, { type: 'string' }]),
  ),
  quick: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

const given = (options) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
const list = (text) => (text ? text.split(',') : []);

function count(name, text) {
  if (text === undefined || /^[1-9]\d*$/.test(text)) return text && Number(text);
  throw new UsageError(`--${name}: found "${text}"; expected a whole number of at least 1.`);
}

function readCommandLine() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: OPTIONS });
  const [what = 'engine'] = positionals;
  if (values.help || !['engine', 'peers'].includes(what)) {
    process.stdout.write(HELP);
    process.exit(values.help ? 0 : 2);
  }
  const { weights, adapters, kv, threads, isa } = values;
  const engineOptions = given({
    weightType: weights,
    adapterType: adapters,
    kvType: kv,
    threads: count('threads', threads),
    isa,
  });
  return { what, ...values, rounds: count('rounds', values.rounds), engineOptions };
}

const begun = Date.now();
const note = (text) =>
  process.stderr.write(`[${((Date.now() - begun) / 1000).toFixed(0).padStart(5)} s] ${text}\n`);

async function main() {
  const options = readCommandLine();
  const { SECTIONS, PEER_SECTIONS, chooseSections } = await import('../benchmarks/sections/index.mjs');
  const { PEERS, installPeers, installedPeers } = await import('../benchmarks/peers/install.mjs');
  const { prepare } = await import('../benchmarks/context.mjs');
  const { describeRun } = await import('../benchmarks/report.mjs');
  const sections = chooseSections(options.what === 'peers' ? PEER_SECTIONS : SECTIONS, list(options.only));
  const context = await prepare({ ...options, note });
  const wanted = options.peers === undefined ? PEERS : list(options.peers);
  const unknown = wanted.find((name) => !PEERS.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--peers: found "${unknown}"; expected some of ${PEERS.join(', ')}.`);
  }
  const find = options.what === 'peers' ? installPeers : installedPeers;
  context.peers = await find(context.peersFolder, note, wanted);
  if (
    sections.some((section) => PEER_SECTIONS.includes(section)) &&
    Object.keys(context.peers).length === 0
  ) {
    note('no peer is installed: targets 1 to 4 and 10 need `npm run bench -- peers`');
  }
  const heading = describeRun(['npm run bench --', ...process.argv.slice(2)].join(' '), context.device);
  const rows = [];
  const tables = [];
  for (const section of sections) {
    note(`section ${section.name}`);
    const result = await section.run(context);
    rows.push(...result.rows);
    tables.push(...result.tables);
  }
  await show(options, heading, rows, tables);
}

async function show(options, heading, rows, tables) {
  const { markdownTable, targetTable, writeReport } = await import('../benchmarks/report.mjs');
  console.log(`${heading}\n`);
  for (const { title, columns, rows: cells } of tables)
    console.log(`${title}\n\n${markdownTable(columns, cells)}\n`);
  if (rows.some(({ target }) => target !== null)) console.log(targetTable(rows));
  if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
  if (!options.report) return;
  const name = options.name ?? `${new Date().toISOString().slice(0, 10)}-${options.what}-cpu`;
  const file = await writeReport(options.report, name, { heading, rows, tables });
  writeFileSync(join(options.report, `${name}.json`), `${JSON.stringify(rows, null, 1)}\n`);
  note(`written: ${file}`);
}

try {
  await main();
} catch (error) {
  const expected = error instanceof UsageError || error.fix || error.code?.startsWith('ERR_PARSE_ARGS');
  if (!expected) throw error;
  process.stderr.write(`${error.message}\n${error.fix ? `${error.fix}\n` : ''}`);
  process.exitCode = 2;
}
