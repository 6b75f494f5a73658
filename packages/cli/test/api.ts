/** A real API for the command to talk to: the built one, with a Postgres and a Redis of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createAppRole, freePort, migrate, onDatabase, startPostgres, startProcess, startRedis } from '@aril/local-services';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
export const ADAPTERS = join(REPOSITORY, 'packages/sgmv-native/test/fixtures/stories260k/adapters');
export const OTHER_MODELS_ADAPTER = join(REPOSITORY, 'examples/adapters/pirate');
/** The one that the portal would have. */
const ORIGIN = 'http://127.0.0.1:3000';

export interface RunningApi {
  url: string;
  /** Of a new workspace. */
  apiKey: () => Promise<string>;
  stop: () => Promise<void>;
}

export async function startApi(hubUrl: string): Promise<RunningApi> {
  const folder = mkdtempSync(join(tmpdir(), 'aril-cli-test-'));
  const [postgres, redis] = await Promise.all([
    startPostgres({ dir: join(folder, 'postgres'), durable: false }),
    startRedis({ dir: join(folder, 'redis'), durable: false }),
  ]);
  const ownerUrl = onDatabase(postgres.url, 'aril');
  await migrate({ ownerUrl });
  const url = `http://127.0.0.1:${await freePort()}`;
  const api = await startProcess({
    command: process.execPath,
    args: ['dist/main.js'],
    cwd: join(REPOSITORY, 'apps/api'),
    env: {
      ...process.env,
      API_PORT: new URL(url).port,
      DATABASE_URL: await createAppRole({ ownerUrl, password: randomBytes(12).toString('hex') }),
      REDIS_URL: redis.url,
      AUTH_SECRET: randomBytes(24).toString('hex'),
      HUB_URL: hubUrl,
      HUB_RETRY_S: '0',
      OBJECTS_DIR: join(folder, 'objects'),
      UPLOADS_DIR: join(folder, 'uploads'),
      MODEL_CATALOG: join(REPOSITORY, 'apps/api/test/fixtures/catalog.json'),
    },
    log: join(folder, 'api.log'),
    pidFile: join(folder, 'api.pid'),
    graceMs: 15_000,
  });
  while ((await fetch(`${url}/ready`).catch(() => null))?.status !== 200) await sleep(50);
  return {
    url,
    apiKey: () => signUp(url),
    async stop() {
      await api.stop();
      await Promise.all([postgres.stop(), redis.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function signUp(url: string): Promise<string> {
  const headers = { 'content-type': 'application/json', origin: ORIGIN };
  const person = { name: 'Test', email: `${randomBytes(8).toString('hex')}@example.test`, password: 'a long enough password', tenantName: 'Test' };
  const signedUp = await fetch(`${url}/api/auth/sign-up/email`, { method: 'POST', headers, body: JSON.stringify(person) });
  const cookie = signedUp.headers.getSetCookie().map((line) => line.split(';', 1)[0]).join('; ');
  const query = 'mutation { createApiKey(input: { name: "cli", permissions: [ADAPTERS_WRITE, USAGE_READ] }) { secret } }';
  const made = await fetch(`${url}/graphql`, { method: 'POST', headers: { ...headers, cookie }, body: JSON.stringify({ query }) });
  return ((await made.json()) as { data: { createApiKey: { secret: string } } }).data.createApiKey.secret;
}
