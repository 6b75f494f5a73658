/**
 * `npm test`: everything CI runs, from a clean clone too. Installs, fetches the model, builds, then runs every step,
 * going on after failures, and ends with one line "N passed, N failed". Words on the command line choose steps:
 *   npm test -- api lint        those whose name contains one of the words
 *   npm test -- --list          their names
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { buildAll } from './lib/build.mjs';
import { findChromium } from './lib/chromium.mjs';
import { findClang } from './lib/clang.mjs';
import { describeDiskError } from './lib/failure.mjs';
import { installDependencies, isInstalled } from './lib/install.mjs';
import { provideWeights, readCatalog } from './lib/model.mjs';
import { requireNvcc } from './lib/nvcc.mjs';
import { providePythonClient } from './lib/python-client.mjs';
import { Report } from './lib/report.mjs';
import { Interrupted, interruptCommands } from './lib/run.mjs';
import { makeScratch } from './lib/scratch.mjs';
import { provideHome, readSettings } from './lib/settings.mjs';
import { runQueue } from './lib/test-queue.mjs';
import { testSteps } from './lib/test-steps.mjs';
import { runTestStep } from './lib/test-run.mjs';
import { checkTools } from './lib/tools.mjs';
import { logTail } from '../packages/local-services/src/process.mjs';

const FAILURE_LINES = 60;
const report = new Report();

/** A build that failed counts as a failed test; the tests that can run without it still do. */
const buildOutcome = (message) => ({
  title: 'Build',
  passed: 0,
  failed: 1,
  skipped: 0,
  seconds: 0,
  failures: [message],
});

/** @returns {Promise<{ env: NodeJS.ProcessEnv, outcomes: object[] }>} env: what tests need to know beyond what the tree tells them */
async function prepare(settings, { needsClients, needsClang, needsNvcc }) {
  mkdirSync(settings.logs, { recursive: true });
  provideHome(settings);
  const installed = isInstalled(settings.repository);
  checkTools(settings, !installed);
  const { weights } = readCatalog(settings.repository);
  const fetched = report.step('Base model', (step) => provideWeights(settings, weights, step.note));
  fetched.catch(() => {});
  const clang = needsClang ? report.step('Clang with libFuzzer', () => findClang(settings)) : {};
  const nvcc = needsNvcc ? report.step('nvcc', ({ note }) => requireNvcc(settings, note)) : null;
  nvcc?.catch(() => {});
  if (!installed)
    await report.step('Install dependencies', (step) => installDependencies(settings, step.note));
  // Before the build, which compiles the CUDA backend where it finds an nvcc.
  await nvcc?.catch((error) =>
    report.line(`  ! No nvcc: the CUDA backend is not compiled. ${error.message} ${error.fix ?? ''}`),
  );
  const failures = await buildAll(settings, report, { keepGoing: true }).then(
    () => [],
    (error) => {
      if (error instanceof Interrupted) throw error;
      report.failure(error);
      return [error];
    },
  );
  const env = {
    ...process.env,
    ARIL_CACHE: settings.cache,
    ARIL_MODEL_WEIGHTS: await fetched,
    CI: process.env.CI ?? '1',
    ...(await compilerVariables(clang)),
  };
  const outcomes = failures.map(({ message }) => buildOutcome(message));
  if (!needsClients) return { env, outcomes };
  const found = await report.step('Browser and Python client', () => clients(settings));
  return { env: { ...env, ...found }, outcomes };
}

async function compilerVariables(clang) {
  const found = await clang;
  if ('fix' in found)
    report.line(`  ! No clang with libFuzzer: a driver of ours replays the fuzz corpus. ${found.fix}`);
  return 'path' in found ? { CLANG: found.path, CLANG_LIBRARIES: found.libraries } : {};
}

/** What is missing is said now and again by the tests that skip themselves for it. */
async function clients(settings) {
  const [chromium, python] = await Promise.all([findChromium(settings), providePythonClient(settings)]);
  if ('fix' in chromium) report.line(`  ! No Chromium: the browser tests are skipped. ${chromium.fix}`);
  if ('fix' in python) report.line(`  ! No openai package for Python: its tests are skipped. ${python.fix}`);
  return {
    ...('path' in chromium ? { CHROMIUM_PATH: chromium.path, CHROMIUM_LIBRARIES: chromium.libraries } : {}),
    ...('python' in python ? { OPENAI_PYTHON: python.python, OPENAI_PYTHONPATH: python.path } : {}),
  };
}

async function runOne(step, context) {
  const began = Date.now();
  const outcome = await report.step(step.title, async ({ note, result: show }) => {
    const result = await runTestStep(step, { ...context, note });
    const skipped = result.skipped ? `, ${result.skipped} skipped` : '';
    show(`${result.passed} passed, ${result.failed} failed${skipped}`);
    return result;
  });
  if (outcome.failed > 0) {
    report.line(`\n  ✗ ${step.title}; the end of ${outcome.log}:\n`);
    report.line(logTail(outcome.log, FAILURE_LINES).replace(/^/gm, '    '));
  }
  return { ...outcome, title: step.title, seconds: (Date.now() - began) / 1000 };
}

function summarize(outcomes) {
  const sum = (key) => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  report.line(
    '\n  Step                                                     passed  failed  skipped     time',
  );
  for (const { title, passed, failed, skipped, seconds } of outcomes) {
    const cells = [passed, failed, skipped].map((n) => String(n).padStart(8)).join('');
    report.line(`  ${title.padEnd(55)}${cells}${`${seconds.toFixed(1)} s`.padStart(10)}`);
  }
  for (const { title, failures } of outcomes)
    for (const name of failures) report.line(`  ✗ ${title}: ${name}`);
  if (sum('skipped') > 0) report.line(`\n  ${sum('skipped')} skipped`);
  report.line(`\n${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') === 0;
}

async function main(words) {
  const settings = readSettings(process.env, []);
  const all = testSteps(settings.repository, String(Math.min(availableParallelism(), 8)));
  if (words.includes('--list'))
    return all.forEach(({ id, title }) => report.line(`${id.padEnd(24)}${title}`));
  const steps = words.length > 0 ? all.filter(({ id }) => words.some((word) => id.includes(word))) : all;
  if (steps.length === 0)
    throw new Error(`No step is named like ${words.join(' or ')}; npm test -- --list names them.`);
  const has = (wanted) => steps.some(({ id }) => id === wanted);
  const { env, outcomes } = await prepare(settings, {
    needsClients: has('e2e'),
    needsClang: has('native-fuzz'),
    needsNvcc: has('cuda'),
  });
  const scratch = makeScratch();
  const context = { logs: settings.logs, env: { ...env, TMPDIR: scratch.folder } };
  const atOnce = Math.min(availableParallelism(), 2);
  outcomes.push(...(await runQueue(steps, atOnce, (step) => runOne(step, context)).finally(scratch.remove)));
  if (!summarize(outcomes)) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interruptCommands);
try {
  await main(process.argv.slice(2));
} catch (error) {
  interruptCommands();
  if (!(error instanceof Interrupted)) report.failure(describeDiskError(error, error.path ?? process.cwd()));
  process.exitCode = 1;
}
