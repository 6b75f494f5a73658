/**
 * Builds the workspaces with Turborepo: in the order they need each other, and what has not changed comes from its
 * cache. What a build is made from is in turbo.json.
 */
import { join } from 'node:path';
import { findNvcc } from '../../packages/sgmv-native/scripts/nvcc.mjs';
import { runCommand } from './run.mjs';

/**
 * @param {import('./settings.mjs').Settings} settings @param {import('./report.mjs').Report} report
 * @param {{ keepGoing?: boolean }} [options] keepGoing: a failure does not stop builds that can do without it
 */
export async function buildAll(settings, report, { keepGoing = false } = {}) {
  const { repository, logs } = settings;
  const options = ['--output-logs=new-only', '--log-order=stream', '--no-color', '--concurrency=2'];
  if (keepGoing) options.push('--continue=dependencies-successful');
  await report.step('Build', async (step) => {
    await runCommand(join(repository, 'node_modules/.bin/turbo'), ['run', 'build', ...options], {
      cwd: repository,
      log: join(logs, 'build.log'),
      env: {
        ...process.env,
        NODE_ENV: 'production',
        // Said here so that Turborepo knows it: a build without the CUDA backend is not the one with it.
        SGMV_NVCC: findNvcc() ?? '',
        TURBO_TELEMETRY_DISABLED: '1',
        TURBO_NO_UPDATE_NOTIFIER: '1',
      },
      note: (line) => step.note(line.replace(/^@aril\/([\w-]+):build: /, '$1: ')),
    });
    step.note('');
  });
}
