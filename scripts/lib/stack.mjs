/**
 * Everything that runs, from the services up: used by `npm start` and by the end-to-end tests alike. Expects
 * dependencies and builds to be there.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, isPortFree } from '../../packages/local-services/src/ports.mjs';
import { stopLeftover } from '../../packages/local-services/src/process.mjs';
import { describeApps } from './apps.mjs';
import { Failure } from './failure.mjs';
import { waitUntilHealthy } from './health.mjs';
import { forgetReady, writeReady } from './ready.mjs';
import { provideSecrets } from './secrets.mjs';
import { provideTenants } from './seed.mjs';
import { provideServices } from './services.mjs';
import { Supervisor } from './supervisor.mjs';

/**
 * @typedef {object} Context
 * @property {import('./settings.mjs').Settings} settings
 * @property {Supervisor} supervisor
 * @property {{ id: string, folder: string, catalog: string, weightsPath: string | null }} model
 * @property {{ authSecret: string, databasePassword: string }} secrets
 * @property {{ api: string, portal: string, runner: string, apiMetrics: string, runnerMetrics: string }} urls
 * @property {{ databaseUrl: string, redisUrl: string, objects: Record<string, string> }} services
 */

/** Those who write first stop first: browsers' server, API, runner; then what they write to. */
export const STOP_ORDER = [['Portal', 'API'], ['Runner'], ['Redis', 'Postgres']];

/** @param {import('./settings.mjs').Settings} settings Stops what a killed start left, so that its ports are free again. */
export async function stopLeftovers(settings) {
  await Promise.all(
    ['api', 'runner', 'portal'].map((name) => stopLeftover(join(settings.home, `${name}.pid`))),
  );
}

/** What was killed is gone from the list of processes a moment before it has let go of its port. */
const PORT_RELEASE_MS = 3_000;

/** @param {number} port 0 stands for any free one */
async function choosePort(port, variable, what) {
  if (port === 0) return freePort();
  for (const until = Date.now() + PORT_RELEASE_MS; ; await sleep(100)) {
    if (await isPortFree(port)) return port;
    if (Date.now() > until) break;
  }
  throw new Failure(
    `Port ${port} on 127.0.0.1, which the ${what} would use, is taken by another program.`,
    `Stop that program (ss -ltnp 'sport = :${port}' names it), or choose another port: ${variable}=${port + 1} npm start`,
  );
}

/** @param {import('./settings.mjs').Settings} settings */
export async function chooseUrls(settings) {
  const address = (port) => `http://127.0.0.1:${port}`;
  return {
    api: address(await choosePort(settings.apiPort, 'API_PORT', 'API')),
    portal: address(await choosePort(settings.portalPort, 'PORTAL_PORT', 'portal')),
    runner: address(await freePort()),
    apiMetrics: address(await freePort()),
    runnerMetrics: address(await freePort()),
  };
}

/** @param {Context} context @param {import('./report.mjs').Report} report */
async function startApps(context, report) {
  const { supervisor } = context;
  const startOne = ({ name, health, start }) =>
    report.step(`Start ${name === 'API' ? name : name.toLowerCase()}`, async () => {
      await supervisor.run(name, start);
      await waitUntilHealthy({ name, url: health, find: () => supervisor.find(name) });
    });
  const started = new Map(describeApps(context).map((app) => [app.name, startOne(app)]));
  const tenants = report.step('Prepare the demo tenants', () =>
    provideTenants(context, () => started.get('API')),
  );
  // All are waited for before a failure is reported, so that nothing is still starting when everything is stopped.
  const results = await Promise.allSettled([...started.values(), tenants]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return tenants;
}

/**
 * @param {{ settings: import('./settings.mjs').Settings, model: Context['model'], report: import('./report.mjs').Report,
 *   urls: Context['urls'], supervisor?: Supervisor }} options
 */
export async function startStack({ settings, model, report, urls, supervisor }) {
  supervisor ??= new Supervisor((text) => report.line(`\n${text}`));
  const stop = async () => {
    forgetReady(settings.home);
    await supervisor.stop(STOP_ORDER);
  };
  try {
    mkdirSync(settings.logs, { recursive: true });
    const secrets = provideSecrets(settings.home);
    const services = await report.step('Start Postgres and Redis', () =>
      provideServices({ settings, supervisor, secrets }),
    );
    const context = { settings, supervisor, model, secrets, urls, services };
    const tenants = await startApps(context, report);
    return { context, facts: writeReady(context, tenants), supervisor, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
