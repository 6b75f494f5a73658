/**
 * The real stack, started by the code `npm start` uses, in a folder and on ports of its own, so that it can run
 * beside a real one. Expects dependencies and builds (`npm test` provides them).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalHub } from '@aril/local-services/local-hub';
import type { TestProject } from 'vitest/node';
import { apiEnvironment } from '../../scripts/lib/apps.mjs';
import { provideWeights, readCatalog } from '../../scripts/lib/model.mjs';
import { Report } from '../../scripts/lib/report.mjs';
import { readSettings } from '../../scripts/lib/settings.mjs';
import { chooseUrls, startStack } from '../../scripts/lib/stack.mjs';
import { isInstalled } from '../../scripts/lib/install.mjs';
import { buildAll } from '../../scripts/lib/build.mjs';

export interface Tenant {
  name: string;
  slug: string;
  login: string;
  password: string;
  apiKey: string;
  adapters: string[];
}

export interface Stack {
  portalUrl: string;
  apiUrl: string;
  /** Where Prometheus would look. */
  metrics: { api: string; runner: string };
  redisUrl: string;
  home: string;
  /** The API's variables, for its commands. */
  apiEnvironment: Record<string, string>;
  tenants: Tenant[];
}

declare module 'vitest' {
  interface ProvidedContext {
    stack: Stack;
  }
}

const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'];

/** A dead runner's work is taken over in about two seconds instead of the sixteen that suit production. */
const QUICK_TAKEOVER = { LOCK_DURATION_MS: '1500', STALL_INTERVAL_MS: '500' };

/** Has example adapters, as `aril/NAME`. */
async function startHub(repository: string): Promise<LocalHub> {
  const hub = await LocalHub.start();
  for (const name of ['pirate', 'triage']) {
    const read = (file: string) => readFileSync(join(repository, 'examples/adapters', name, file));
    hub.put(`aril/${name}`, Object.fromEntries(ADAPTER_FILES.map((file) => [file, read(file)])));
  }
  return hub;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = mkdtempSync(join(tmpdir(), 'aril-e2e-'));
  const settings = readSettings({ ...process.env, ARIL_HOME: home, API_PORT: '0', PORTAL_PORT: '0' }, []);
  if (!isInstalled(settings.repository)) throw new Error('Dependencies are missing. Run: npm test -- e2e');
  const hub = await startHub(settings.repository);
  Object.assign(process.env, QUICK_TAKEOVER, { HUB_URL: hub.url });
  const model = readCatalog(settings.repository);
  const weightsPath = await provideWeights(settings, model.weights!, () => {});
  const report = new Report({ quiet: process.env.E2E_VERBOSE === undefined });
  await buildAll(settings, report);
  const urls = await chooseUrls(settings);
  const started = await startStack({ settings, model: { ...model, weightsPath } as never, report, urls });
  const { portalUrl, apiUrl, tenants } = started.facts;
  const metrics = { api: urls.apiMetrics, runner: urls.runnerMetrics };
  project.provide('stack', {
    portalUrl,
    apiUrl,
    metrics,
    tenants,
    redisUrl: started.context.services.redisUrl,
    home,
    apiEnvironment: apiEnvironment(started.context) as Record<string, string>,
  });
  return async () => {
    await started.stop();
    await hub.stop();
    if (process.env.E2E_KEEP === undefined) rmSync(home, { recursive: true, force: true });
    else console.log(`kept ${home}`);
  };
}
