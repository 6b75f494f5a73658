/**
 * The real application on a free port, with a database of its own, and factories that write rows through its own
 * doors. Tests talk to it over HTTP, as clients do.
 */
import 'reflect-metadata';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, freshDatabase, onDatabase } from '@aril/local-services';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { inject } from 'vitest';
import { createApp } from '../src/app.js';
import { loadConfig, type Config } from '../src/base/config/config.js';
import { createLogger } from '../src/base/logging/logger.js';

export const TEST_MODEL = 'stories260k';
const CATALOG = fileURLToPath(new URL('./fixtures/catalog.json', import.meta.url));

export interface GraphqlError {
  message: string;
  extensions: { code: string; reason?: string; field?: string | null; retryable?: boolean; requestId?: string };
}
export interface GraphqlAnswer<T = Record<string, never>> {
  data: T | null;
  errors?: GraphqlError[];
}

export interface TestApp {
  readonly config: Config;
  readonly url: string;
  readonly app: NestExpressApplication;
  /** The database as its owner, who sees through row-level security. For looking behind the scenes. */
  readonly ownerUrl: string;
  /** Another copy of the application on the same data, as behind a load balancer; stopped by its own `stop`. */
  peer(changes?: Partial<Config>): Promise<TestApp>;
  /** Stops the application and starts it again on the same data, as a restart does. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Redis databases are numbered 0 to 15: applications take turns, and each flushes its own before it starts. */
let nextRedisDatabase = 0;

async function emptyRedis(): Promise<string> {
  const worker = Number(process.env['VITEST_POOL_ID'] ?? 1) - 1;
  const url = new URL(inject('redisUrls')[worker]!);
  nextRedisDatabase = (nextRedisDatabase + 1) % 15;
  url.pathname = `/${nextRedisDatabase + 1}`;
  const { Redis } = await import('ioredis');
  const client = new Redis(url.href);
  await client.flushdb();
  client.disconnect();
  return url.href;
}

export async function startApp(overrides: Record<string, string> = {}): Promise<TestApp> {
  const folder = mkdtempSync(join(tmpdir(), 'aril-api-'));
  const database = await freshDatabase(inject('templateUrl'));
  const appUrl = new URL(onDatabase(inject('templateUrl'), database.name));
  appUrl.username = 'aril_app';
  appUrl.password = inject('appPassword');
  const port = await freePort();
  const config = loadConfig({
    API_PORT: String(port),
    DATABASE_URL: appUrl.href,
    REDIS_URL: await emptyRedis(),
    AUTH_SECRET: randomBytes(24).toString('hex'),
    AUTH_ATTEMPTS_MAX: '1000',
    // Nobody answers there: a test that imports brings a hub of its own.
    HUB_URL: 'http://127.0.0.1:9',
    OBJECTS_DIR: join(folder, 'objects'),
    UPLOADS_DIR: join(folder, 'uploads'),
    MODEL_CATALOG: CATALOG,
    DRAIN_TIMEOUT_S: '0',
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'silent',
    LOG_PRETTY: 'true',
    ...overrides,
  });
  return run(config, database.url, async () => {
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });
}

async function run(config: Config, ownerUrl: string, dispose: () => Promise<void>): Promise<TestApp> {
  const listen = async (): Promise<NestExpressApplication> => {
    const app = await createApp(config, createLogger(config));
    await app.listen(config.API_PORT, '127.0.0.1');
    return app;
  };
  let app = await listen();
  return {
    config,
    url: config.API_URL,
    ownerUrl,
    get app() {
      return app;
    },
    async peer(changes) {
      const port = await freePort();
      return run({ ...config, ...changes, API_PORT: port, API_URL: `http://127.0.0.1:${port}` }, ownerUrl, async () => {});
    },
    async restart() {
      await app.close();
      app = await listen();
    },
    async stop() {
      await app.close();
      await dispose();
    },
  };
}

/** Credentials of one kind or the other, as headers. */
export type Credentials = Record<string, string>;

export interface TestUser {
  email: string;
  password: string;
  tenantName: string;
  /** The session's cookie. */
  cookie: Credentials;
}

/** The portal's. */
export const ORIGIN = 'http://127.0.0.1:3000';

/** `tenantName` empty: one that names no tenant, as that of an invited person does. */
export async function signUp(
  test: TestApp,
  tenantName = `Tenant ${randomUUID().slice(0, 8)}`,
  email = `user-${randomUUID()}@example.test`,
): Promise<TestUser> {
  const password = 'a long enough password';
  const response = await fetch(`${test.url}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: ORIGIN },
    body: JSON.stringify({ name: 'Test User', email, password, tenantName: tenantName || undefined }),
  });
  if (!response.ok) throw new Error(`sign-up failed: ${response.status} ${await response.text()}`);
  return { email, password, tenantName, cookie: { cookie: cookieOf(response) } };
}

export function cookieOf(response: Response): string {
  return response.headers.getSetCookie().map((line) => line.split(';', 1)[0]).join('; ');
}

export async function graphql<T = Record<string, never>>(
  test: TestApp,
  credentials: Credentials,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<GraphqlAnswer<T>> {
  const response = await fetch(`${test.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...credentials },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as GraphqlAnswer<T>;
}

/** The data, or an error with everything that was answered. */
export async function data<T>(answer: Promise<GraphqlAnswer<T>>): Promise<T> {
  const { data: found, errors } = await answer;
  if (errors || !found) throw new Error(`GraphQL: ${JSON.stringify(errors)}`);
  return found;
}

export async function createApiKey(test: TestApp, user: TestUser, name = 'test'): Promise<Credentials & { authorization: string }> {
  const { createApiKey: made } = await data(
    graphql<{ createApiKey: { secret: string } }>(
      test,
      user.cookie,
      'mutation ($name: String!) { createApiKey(input: { name: $name }) { secret } }',
      { name },
    ),
  );
  return { authorization: `Bearer ${made.secret}` };
}

/** A tenant with its owner and an API key. */
export async function createTenant(test: TestApp): Promise<{ user: TestUser; key: Credentials & { authorization: string }; id: string }> {
  const user = await signUp(test);
  const key = await createApiKey(test, user);
  const { tenant } = await data(graphql<{ tenant: { id: string } }>(test, key, '{ tenant { id } }'));
  return { user, key, id: tenant.id };
}
