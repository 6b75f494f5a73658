/**
 * `npm start`: from a clean clone to a running service. Until the dependencies are installed, only Node's own modules
 * are used. Everything it makes stays under .aril/, except the base model's weights, which stay in a cache.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stopLeftover } from '../packages/local-services/src/process.mjs';
import { buildAll } from './lib/build.mjs';
import { describeDiskError } from './lib/failure.mjs';
import { installDependencies, isInstalled } from './lib/install.mjs';
import { takeLock } from './lib/lock.mjs';
import { provideWeights, readCatalog } from './lib/model.mjs';
import { forgetReady, showReady } from './lib/ready.mjs';
import { Report } from './lib/report.mjs';
import { Interrupted, interruptCommands } from './lib/run.mjs';
import { provideHome, readSettings } from './lib/settings.mjs';
import { STOP_ORDER, chooseUrls, startStack, stopLeftovers } from './lib/stack.mjs';
import { Supervisor } from './lib/supervisor.mjs';
import { checkTools } from './lib/tools.mjs';

const HELP = `
npm start                 start everything; a second start reuses what is there
npm start -- --reset      delete all data under .aril/ first (tenants, adapters, keys, usage)
npm start -- --help       this text

Variables (all optional; .env.example describes them):
  API_PORT, PORTAL_PORT   ports on 127.0.0.1 (4000, 3000); 0 for any free one
  DATABASE_URL            a Postgres of your own, as its owner
  REDIS_URL               a Redis of your own
  S3_ENDPOINT, S3_REGION, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_FORCE_PATH_STYLE
  MODEL_PATH              the base model's .gguf, if you have it already
  ARIL_HOME, ARIL_CACHE   where data (.aril) and downloads (~/.cache/aril) are kept
`;

const ABANDON_MS = 5_000;
const report = new Report();
const supervisor = new Supervisor((text) => report.line(`\n${text}`));

/** Resolves with the first signal that asks us to end. A terminal and npm may both send one: the rest is ignored. */
function nextSignal() {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve(signal));
  });
}

/** The lock and the downloads stay; everything else that was kept goes. */
async function reset(settings) {
  await stopData(settings);
  for (const name of existsSync(settings.home) ? readdirSync(settings.home) : []) {
    if (!['start.lock', 'cache', 'venv'].includes(name))
      rmSync(join(settings.home, name), { recursive: true, force: true });
  }
  const external = [
    settings.databaseUrl && 'DATABASE_URL',
    settings.redisUrl && 'REDIS_URL',
    settings.s3 && 'S3_*',
  ].filter(Boolean);
  if (external.length > 0)
    report.line(`  What ${external.join(', ')} point to is yours and was left as it is.`);
}

/** A Postgres or Redis that outlived a killed start must not write into a folder that is being deleted. */
async function stopData(settings) {
  await stopLeftover(join(settings.home, 'postgres', 'postgres.pid'), 'SIGINT');
  await stopLeftover(join(settings.home, 'redis', 'redis.pid'));
}

async function installAndBuild(settings, installed) {
  if (!installed)
    await report.step('Install dependencies', (step) => installDependencies(settings, step.note));
  await buildAll(settings, report);
}

async function prepare(settings) {
  const installed = isInstalled(settings.repository);
  checkTools(settings, !installed);
  const { weights, ...model } = readCatalog(settings.repository);
  const fetchWeights = () =>
    report.step(`Base model ${model.id}`, (step) => provideWeights(settings, weights, step.note));
  // The first failure of either ends the start: nobody should wait minutes for a build that will not be used.
  const [weightsPath] = await Promise.all([
    weights ? fetchWeights() : null,
    installAndBuild(settings, installed),
  ]);
  return { ...model, weightsPath };
}

async function start(settings) {
  mkdirSync(settings.logs, { recursive: true });
  provideHome(settings);
  await stopLeftovers(settings);
  if (settings.reset) await report.step('Delete the data under .aril', () => reset(settings));
  forgetReady(settings.home);
  // Asked first, so that a taken port is known before minutes are spent; the answer is used when they have passed.
  const urls = await chooseUrls(settings);
  const model = await prepare(settings);
  const stack = await startStack({ settings, model, report, urls, supervisor });
  showReady(report, stack.facts, settings);
  return stack;
}

/** A start that is under way ends by itself once its commands are interrupted; a download may take longer than we wait. */
async function abandon(starting) {
  const ended = starting.then(
    (stack) => stack.stop(),
    () => {},
  );
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, ABANDON_MS).unref())]);
}

async function main() {
  const settings = readSettings();
  if (settings.help) return report.line(HELP);
  const lock = await takeLock(settings.home);
  const signal = nextSignal();
  const starting = start(settings);
  try {
    const early = await Promise.race([starting.then(() => null), signal]);
    if (early) interruptCommands();
    else await signal;
    lock.markStopping();
    report.line('\n  Stopping …');
    await Promise.all([supervisor.stop(STOP_ORDER), abandon(starting)]);
    forgetReady(settings.home);
    report.line('  Stopped. Data is kept under .aril/.');
  } finally {
    lock.release();
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  interruptCommands();
  if (!(error instanceof Interrupted)) report.failure(describeDiskError(error, error.path ?? process.cwd()));
  process.exit(1);
}
