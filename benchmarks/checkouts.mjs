/**
 * What a change costs or saves around the engine: an earlier checkout and this one, in turns on the same machine, as ratios of
 * one turn each. How many a second, and the processor's time for each, which does not mind so much who else uses the machine.
 *   node benchmarks/checkouts.mjs --before CHECKOUT [--turns 12] [--seconds 4]
 * Both are built. Each has an API, a runner (its engine on one thread, with a tiny model, so that a step is as short as one can
 * be), a Postgres and a Redis of its own; this one's metrics are scraped as infra/prometheus says, every 15 s.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createAppRole, freePort, migrate, onDatabase, startPostgres, startProcess, startRedis } from '@aril/local-services';

const here = resolve(fileURLToPath(new URL('..', import.meta.url)));
const { values } = parseArgs({ options: { before: { type: 'string' }, turns: { type: 'string', default: '12' }, seconds: { type: 'string', default: '4' } } });
if (!values.before) throw new Error('--before: found none, expected a built checkout of an earlier commit');
const [turns, seconds] = [Number(values.turns), Number(values.seconds)];
const MODEL = 'stories260k';
const WARM_UP_TURNS = 4;
const folder = mkdtempSync(join(tmpdir(), 'aril-checkouts-'));
const running = [];

async function startStack(name, root) {
  const postgres = await startPostgres({ dir: join(folder, name, 'postgres'), durable: false });
  const redis = await startRedis({ dir: join(folder, name, 'redis'), durable: false });
  running.push(postgres, redis);
  const postmaster = Number(readFileSync(join(folder, name, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
  const [api, runner, apiMetrics, runnerMetrics] = await Promise.all(Array.from({ length: 4 }, () => freePort()));
  const ownerUrl = onDatabase(postgres.url, name);
  await migrate({ ownerUrl });
  const common = { PATH: process.env.PATH, LOG_LEVEL: 'info', OBJECTS_DIR: join(folder, name, 'objects'), REDIS_URL: redis.url };
  const apiEnv = { ...common, API_PORT: String(api), METRICS_PORT: String(apiMetrics), DATABASE_URL: await createAppRole({ ownerUrl, password: 'password' }), AUTH_SECRET: 'x'.repeat(32), UPLOADS_DIR: join(folder, name, 'uploads'), MODEL_CATALOG: join(root, 'apps/api/test/fixtures/catalog.json') };
  const runnerEnv = { ...common, METRICS_PORT: String(runnerMetrics), HEALTH_PORT: String(runner), BASE_MODEL_ID: MODEL, MODEL_DIR: join(root, 'packages/sgmv-native/test/fixtures/stories260k'), ENGINE_THREADS: '1', KV_BYTES: String(64 << 20), ADAPTER_CACHE_DIR: join(folder, name, 'cache') };
  const pids = [];
  for (const [app, env] of [['api', apiEnv], ['gpu-runner', runnerEnv]]) {
    const started = startProcess({ command: process.execPath, args: ['dist/main.js'], cwd: join(root, 'apps', app), env, log: join(folder, `${name}-${app}.log`) });
    running.push(started);
    pids.push(started.pid);
  }
  for (const port of [api, runner]) while (!(await fetch(`http://127.0.0.1:${port}/ready`).catch(() => null))?.ok) await delay(100);
  const url = `http://127.0.0.1:${api}`;
  const json = { 'content-type': 'application/json' };
  const signedUp = await fetch(`${url}/api/auth/sign-up/email`, { method: 'POST', headers: { ...json, origin: 'http://127.0.0.1:3000' }, body: JSON.stringify({ name: 'U', email: 'u@example.test', password: 'a long enough password', tenantName: 'T' }) });
  const cookie = signedUp.headers.getSetCookie().map((line) => line.split(';', 1)[0]).join('; ');
  const made = await fetch(`${url}/graphql`, { method: 'POST', headers: { ...json, cookie }, body: JSON.stringify({ query: 'mutation { createApiKey(input: { name: "k" }) { secret } }' }) });
  const { data } = await made.json();
  return { url, headers: { ...json, authorization: `Bearer ${data.createApiKey.secret}` }, metrics: [apiMetrics, runnerMetrics], all: [...pids, postmaster] };
}

/** Of a process that is gone, none. */
function stat(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').map(Number);
  } catch {
    return [];
  }
}
const children = (parent) => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && stat(pid)[1] === parent);

/** Of Linux's 100 a second, user and system, of processes and their children (Postgres has one for each connection). */
const cpuSeconds = (pids) => [...pids, ...pids.flatMap(children)].reduce((sum, pid) => sum + ((stat(pid)[11] ?? 0) + (stat(pid)[12] ?? 0)) / 100, 0);

/** Requests of eight clients: how many a second, and the processes' milliseconds for each. */
async function rate(pids, request) {
  const before = cpuSeconds(pids);
  const until = performance.now() + seconds * 1000;
  let count = 0;
  const client = async () => {
    for (; performance.now() < until; count++) {
      const response = await request();
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`found ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  return { rate: count / seconds, cpuMs: ((cpuSeconds(pids) - before) * 1000) / count };
}

const models = ({ url, headers, all }) => rate(all, () => fetch(`${url}/v1/models`, { headers }));
const chats = ({ url, headers, all }) => rate(all, () => fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'Once upon a time' }], max_tokens: 16 }) }));

/** Steps per second of an engine that decodes 32 answers. */
async function openEngine(root) {
  const { createEngine } = await import(pathToFileURL(join(root, 'packages/sgmv-native/dist/index.js')).href);
  const engine = await createEngine({ model: join(root, 'packages/sgmv-native/test/fixtures/stories260k'), threads: 1, maxBatch: 32, kvBytes: 64 << 20 });
  let id = 0;
  const submit = () => engine.submit({ id: String(id++), promptTokens: [1, 300 + (id % 64)], maxTokens: 400, ignoreEos: true });
  return async () => {
    let on = true;
    let open = 32;
    const over = new Promise((done) => (engine.onEvents = (events) => {
      for (const { type } of events) {
        if (type !== 'end') continue;
        if (on) submit();
        else if (--open === 0) done();
      }
    }));
    for (let i = 0; i < 32; i++) submit();
    await delay(300);
    const [before, began, cpu] = [engine.stats().steps, performance.now(), process.cpuUsage()];
    await delay(seconds * 1000);
    const steps = engine.stats().steps - before;
    const { user, system } = process.cpuUsage(cpu);
    const measured = { rate: (steps * 1000) / (performance.now() - began), cpuMs: (user + system) / 1000 / steps };
    on = false;
    await over;
    return measured;
  };
}

function summary(name, pairs) {
  for (const [what, unit] of [['rate', 'a second'], ['cpuMs', 'ms of processor time each']]) {
    const ratios = pairs.map(([before, after]) => after[what] / before[what]).sort((a, b) => a - b);
    const at = (part) => ratios[Math.round((ratios.length - 1) * part)].toFixed(3);
    const median = (side) => pairs.map((pair) => pair[side][what]).sort((a, b) => a - b)[pairs.length >> 1].toPrecision(3);
    console.log(`| ${name}, ${unit} | ${median(0)} | ${median(1)} | ${at(0.5)} | ${at(0.25)} to ${at(0.75)} |`);
  }
}

async function inTurns(name, measure) {
  const pairs = [];
  // Until what V8 compiles on the way is compiled on both sides.
  for (let turn = 0; turn < WARM_UP_TURNS; turn++) for (const one of measure) await one();
  for (let turn = 0; turn < turns; turn++) {
    const order = turn % 2 === 0 ? [0, 1] : [1, 0];
    const pair = [];
    for (const side of order) pair[side] = await measure[side]();
    pairs.push(pair);
  }
  summary(name, pairs);
}

try {
  console.log('| | before | after | ratio, median | middle half of the turns |\n|---|---|---|---|---|');
  const engines = [await openEngine(resolve(values.before)), await openEngine(here)];
  await inTurns('Steps of the engine, 32 answers', engines);
  const stacks = [await startStack('before', resolve(values.before)), await startStack('after', here)];
  const scraping = setInterval(() => stacks[1].metrics.map((port) => fetch(`http://127.0.0.1:${port}/metrics`).then((r) => r.text(), () => {})), 15_000);
  await inTurns('`GET /v1/models`', stacks.map((stack) => () => models(stack)));
  await inTurns('`POST /v1/chat/completions`, 16 tokens', stacks.map((stack) => () => chats(stack)));
  clearInterval(scraping);
} finally {
  for (const process of running.toReversed()) await process.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
