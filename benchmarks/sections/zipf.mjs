/**
 * Target 9: 1 000 registered adapters, room for 64, Zipf traffic of 32 concurrent requests, against the same traffic
 * on 32 adapters that are all resident.
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provideAdapters, writeRandomAdapter } from '../random-adapters.mjs';
import { uniform, zipf } from '../random.mjs';
import { latencyRows, median, percentile, ratios, spreadRows } from '../statistics.mjs';
import { runTurn } from '../turns.mjs';

const REGISTERED = 1000;
const DISTINCT_FILES = 48;
const ROOM = 64;
const RESIDENT = 32;
const CONCURRENCY = 32;
const ALPHA = 1;
const RANK = 16;
const LARGE_RANK = 256;
const DRIVER = fileURLToPath(new URL('../zipf-turn.mjs', import.meta.url));

/** A folder for each name; many names share their files, which the engine does not know. */
function register(context) {
  const distinct = provideAdapters(context.cache, context.modelInfo, Array(DISTINCT_FILES).fill(RANK));
  const folder = join(
    context.cache,
    'bench',
    'registered',
    `${context.modelInfo.hiddenSize}x${context.modelInfo.layers}`,
  );
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: REGISTERED }, (_, i) => {
    const name = join(folder, `a${i}`);
    if (!existsSync(name)) symlinkSync(distinct[i % DISTINCT_FILES], name);
    return name;
  });
}

function provideLarge(context) {
  const folder = join(
    context.cache,
    'bench',
    `${context.modelInfo.hiddenSize}x${context.modelInfo.layers}-r${LARGE_RANK}`,
    'a0',
  );
  writeRandomAdapter(folder, context.modelInfo, LARGE_RANK, 1);
  return folder;
}

export const section = {
  name: 'zipf',
  targets: [9],
  async run(context) {
    const folders = register(context);
    const large = provideLarge(context);
    const draw = (round) => {
      const next = zipf(REGISTERED, ALPHA, uniform(round));
      return Array.from({ length: context.quick ? 64 : 256 }, next);
    };
    const results = { registered: [], resident: [] };
    for (let round = 1; round <= context.rounds; round++) {
      const spec = {
        model: context.model,
        options: context.engineOptions,
        folders,
        room: ROOM,
        concurrency: CONCURRENCY,
        promptTokens: 64,
        newTokens: context.quick ? 32 : 128,
        ranks: draw(round),
      };
      for (const [name, own] of [
        ['resident', { resident: RESIDENT }],
        ['registered', { large }],
      ]) {
        context.note(`round ${round} of ${context.rounds}: Zipf traffic, ${name}`);
        results[name].push(await runTurn(context.scratch, process.execPath, [DRIVER], { ...spec, ...own }));
      }
    }
    return report(results);
  },
};

/** TTFT by what a request found. A request that finds its adapter should not see the loads of others. */
function groupsOf(turns) {
  const requests = turns.flatMap((turn) => turn.requests);
  return {
    hit: requests.filter(({ hit }) => hit),
    miss: requests.filter(({ hit }) => !hit),
    'hit-during-loads': requests.filter(({ hit, duringLoad }) => hit && duringLoad),
    'hit-without-loads': requests.filter(({ hit, duringLoad }) => hit && !duringLoad),
  };
}

function report({ registered, resident }) {
  const rates = (turns) => turns.map(({ tokens, seconds }) => tokens / seconds);
  const groups = groupsOf(registered);
  const probes = registered.map(({ probe }) => probe);
  const hits = groups.hit.length / (groups.hit.length + groups.miss.length);
  const waited = groups.hit.map(({ submittedMs }) => submittedMs);
  const rows = [
    ...spreadRows('target9.registered/resident', ratios(rates(registered), rates(resident)), 'ratio', 0.85),
    ...spreadRows(
      'target9.hit-ttft/load-time',
      probes.map(({ hitTtftMs, loadMs }) => hitTtftMs / loadMs),
      'ratio',
      1,
    ),
    ...spreadRows('zipf.registered.throughput', rates(registered), 'new tokens/s'),
    ...spreadRows('zipf.resident.throughput', rates(resident), 'new tokens/s'),
    { id: 'zipf.hitRate', value: hits, target: null, unit: 'ratio' },
    { id: 'zipf.hitSubmitDelayMsP99', value: percentile(waited, 0.99), target: null, unit: 'ms' },
    ...Object.entries(probes[0]).map(([name]) => ({
      id: `zipf.probe.${name}`,
      value: median(probes.map((probe) => probe[name])),
      target: null,
      unit: name === 'steps' ? 'steps' : 'ms',
    })),
    ...Object.entries(groups).flatMap(([name, requests]) => latencyRows(`zipf.${name}`, [asRun(requests)])),
    ...latencyRows('zipf.resident', [asRun(resident.flatMap((turn) => turn.requests))]),
  ];
  return { rows, tables: [table(groups, resident, rates(registered), rates(resident)), probeTable(probes)] };
}

const asRun = (requests) => ({
  ttftMs: requests.map(({ ttftMs }) => ttftMs),
  tpotMs: requests.map(({ tpotMs }) => tpotMs),
});

function table(groups, resident, registeredRates, residentRates) {
  const lines = { ...groups, resident: resident.flatMap((turn) => turn.requests) };
  const values = [];
  const rows = Object.entries(lines).map(([name, requests]) => {
    const ttft = requests.map(({ ttftMs }) => ttftMs);
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((p) => percentile(ttft, p));
    for (const [Percentile, ms] of [
      ['p50', p50],
      ['p90', p90],
      ['p99', p99],
    ]) {
      if (Number.isFinite(ms)) values.push({ Requests: name, Percentile, 'TTFT, ms': ms });
    }
    return [
      name,
      requests.length,
      ...[p50, p90, p99].map((ms) => (Number.isFinite(ms) ? ms.toFixed(0) : '')),
    ];
  });
  const speeds = `${median(registeredRates).toFixed(0)} new tokens/s; all resident ${median(residentRates).toFixed(0)}`;
  return {
    name: 'zipf',
    title: `${REGISTERED} registered adapters, room for ${ROOM}, Zipf ${ALPHA}: ${speeds}`,
    columns: ['Requests', 'count', 'TTFT ms p50', 'p90', 'p99'],
    rows,
    plot: { x: 'TTFT, ms', y: 'Requests', facet: 'Percentile', values },
  };
}

function probeTable(probes) {
  const of = (name) => median(probes.map((probe) => probe[name])).toFixed(1);
  const names = ['loadMs', 'steps', 'medianStepMs', 'longestStepMs', 'hitTtftMs'];
  return {
    name: 'load-probe',
    title: `A rank-${LARGE_RANK} adapter loads while ${CONCURRENCY - 1} requests decode`,
    columns: [
      'load ms',
      'steps meanwhile',
      'step ms before',
      'longest step ms meanwhile',
      'TTFT ms of a request whose adapter is resident',
    ],
    rows: [names.map(of)],
  };
}
