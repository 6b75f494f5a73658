/** How each process of Aril is started: its command, its variables, and where it tells that it is well. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess } from '../../packages/local-services/src/process.mjs';

/** What the parent's environment may contain that is meant for npm start and must not reach an app. */
const NOT_INHERITED = [
  'PORT',
  'HOSTNAME',
  'API_PORT',
  'API_URL',
  'PUBLIC_API_URL',
  'PORTAL_URL',
  'DATABASE_URL',
  'REDIS_URL',
  'NODE_ENV',
  'OBJECTS_DIR',
  'MODEL_PATH',
  'RUNNER_ID',
  'HEALTH_PORT',
  'METRICS_HOST',
  'METRICS_PORT',
  'ARIL_HOME',
  'ARIL_CACHE',
];

/** Ctrl-C should not wait long for a generation; it is resumed at the next start. */
const DRAIN_TIMEOUT_S = process.env.DRAIN_TIMEOUT_S ?? '5';

function inherited() {
  // npm's own variables (npm_config_…, npm_package_…) would only mislead what runs below.
  const entries = Object.entries(process.env).filter(
    ([name]) => !NOT_INHERITED.includes(name) && !name.startsWith('npm_'),
  );
  return { ...Object.fromEntries(entries), NODE_ENV: 'production' };
}

/** @param {import('./stack.mjs').Context} context */
export function apiEnvironment({ settings, model, services, secrets, urls }) {
  const uploads = join(settings.home, 'uploads');
  mkdirSync(uploads, { recursive: true });
  return {
    ...inherited(),
    ...services.objects,
    API_HOST: '127.0.0.1',
    API_PORT: new URL(urls.api).port,
    API_URL: urls.api,
    PORTAL_URL: `${urls.portal},${urls.portal.replace('127.0.0.1', 'localhost')}`,
    DATABASE_URL: services.databaseUrl,
    REDIS_URL: services.redisUrl,
    AUTH_SECRET: secrets.authSecret,
    UPLOADS_DIR: uploads,
    MODEL_CATALOG: model.catalog,
    METRICS_PORT: new URL(urls.apiMetrics).port,
    DRAIN_TIMEOUT_S,
  };
}

function runnerEnvironment({ settings, model, services, urls }) {
  const cache = join(settings.home, 'adapter-cache');
  mkdirSync(cache, { recursive: true });
  return {
    ...inherited(),
    ...services.objects,
    REDIS_URL: services.redisUrl,
    BASE_MODEL_ID: model.id,
    MODEL_DIR: model.folder,
    ...(model.weightsPath ? { MODEL_WEIGHTS: model.weightsPath } : {}),
    ADAPTER_CACHE_DIR: cache,
    HEALTH_HOST: '127.0.0.1',
    HEALTH_PORT: new URL(urls.runner).port,
    METRICS_PORT: new URL(urls.runnerMetrics).port,
    DRAIN_TIMEOUT_S,
  };
}

function portalEnvironment({ urls }) {
  return {
    ...inherited(),
    HOSTNAME: '127.0.0.1',
    PORT: new URL(urls.portal).port,
    API_URL: urls.api,
    PUBLIC_API_URL: urls.api,
    NEXT_TELEMETRY_DISABLED: '1',
  };
}

/**
 * @param {import('./stack.mjs').Context} context
 * @returns {{ name: string, health: string, start: () => Promise<ReturnType<typeof startProcess>> }[]}
 */
export function describeApps(context) {
  const { settings, urls } = context;
  const { repository, logs } = settings;
  const nodeProcess = (name, folder, args, env) => async () =>
    startProcess({
      command: process.execPath,
      args,
      cwd: join(repository, folder),
      env: env(context),
      log: join(logs, `${name}.log`),
      pidFile: join(settings.home, `${name}.pid`),
      graceMs: 15_000,
    });
  const next = join(repository, 'node_modules', 'next', 'dist', 'bin', 'next');
  const portalArguments = [next, 'start', '--hostname', '127.0.0.1', '--port', new URL(urls.portal).port];
  return [
    {
      name: 'API',
      health: `${urls.api}/ready`,
      start: nodeProcess('api', 'apps/api', ['dist/main.js'], apiEnvironment),
    },
    {
      name: 'Runner',
      health: `${urls.runner}/ready`,
      start: nodeProcess('runner', 'apps/gpu-runner', ['dist/main.js'], runnerEnvironment),
    },
    {
      name: 'Portal',
      health: `${urls.portal}/api/health`,
      start: nodeProcess('portal', 'apps/portal', portalArguments, portalEnvironment),
    },
  ];
}
