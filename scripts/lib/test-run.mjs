/** Runs one test step and counts what passed, failed and was skipped. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Failure } from './failure.mjs';
import { Interrupted, runCommand } from './run.mjs';

const REASON_CHARACTERS = 300;

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Outcome */

/** What an error says before it says where. */
function reason(message) {
  const [said] = message.split(/\n\s+at /, 1);
  return stripVTControlCharacters(said).replace(/\s+/g, ' ').trim().slice(0, REASON_CHARACTERS);
}

/** @returns {Outcome} */
function countVitest(file, succeeded) {
  if (!existsSync(file))
    return { passed: 0, failed: 1, skipped: 0, failures: ['vitest did not get as far as a report'] };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const tests = report.testResults.flatMap((suite) => suite.assertionResults);
  const failures = tests
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages: [message = ''] }) => `${fullName}: ${reason(message)}`);
  // A file that could not be loaded, or a hook that threw, fails without a test of its own to show for it.
  for (const suite of report.testResults)
    if (suite.status === 'failed' && !suite.assertionResults.some(({ status }) => status === 'failed'))
      failures.push(`${suite.name}: ${reason(suite.message)}`);
  if (!succeeded && failures.length === 0) failures.push('vitest ended with an error');
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: failures.length,
    skipped: tests.filter(({ status }) => ['pending', 'skipped', 'todo', 'disabled'].includes(status)).length,
    failures,
  };
}

/** @returns {Outcome} */
function countPrinted(output, succeeded) {
  const match = [...output.matchAll(/(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/g)].at(-1);
  const [passed, failed, skipped] = match ? match.slice(1).map((n) => Number(n ?? 0)) : [0, 0, 0];
  const failures = [...output.matchAll(/^FAIL +(.+)(?:\n +(.+))?/gm)].map(([, name, why = '']) => `${name}: ${reason(why)}`);
  if (failed > 0 && failures.length === 0) failures.push(`${failed} failed; see the log`);
  if (!match || (!succeeded && failed === 0)) failures.push('it ended before it had counted its tests');
  return { passed, failed: Math.max(failed, failures.length), skipped, failures };
}

/** @param {import('./test-steps.mjs').TestStep} step @param {{ logs: string, env: NodeJS.ProcessEnv, note: (text: string) => void }} context */
export async function runTestStep(step, { logs, env, note }) {
  const log = join(logs, `test-${step.id}.log`);
  const reportFile = join(logs, `test-${step.id}.json`);
  rmSync(reportFile, { force: true });
  const args =
    step.count === 'vitest'
      ? [...step.args, '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
      : step.args;
  let output;
  let succeeded = true;
  try {
    // What computes makes room for what mostly waits, and has people's patience to keep to.
    const nice = step.computes ? 10 : 0;
    output = await runCommand(step.command, args, { cwd: step.cwd, log, env: { ...env, ...step.env }, note, nice });
  } catch (error) {
    if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
    succeeded = false;
    output = existsSync(log) ? readFileSync(log, 'utf8') : '';
  }
  if (step.count === 'vitest') return { log, ...countVitest(reportFile, succeeded) };
  if (step.count === 'counted') return { log, ...countPrinted(output, succeeded) };
  return {
    log,
    passed: succeeded ? 1 : 0,
    failed: succeeded ? 0 : 1,
    skipped: 0,
    failures: succeeded ? [] : ['it ended with an error'],
  };
}
