/** Imports while processes, Redis or both come and go; and what becomes of a token. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startProcess } from '@aril/local-services';
import { LocalHub } from '@aril/local-services/local-hub';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ImportWorker } from '../src/core/adapters/imports/import.worker.js';
import { fixture } from './adapter-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { beginImport, ended, failing, hasBegun, hold, importAdapter, large, readsOf, until } from './import-fixtures.js';

const API = fileURLToPath(new URL('..', import.meta.url));
/** `npm test` builds before it tests. */
const isBuilt = existsSync(join(API, 'dist/main.js'));

/** The built API, as a process of its own on the same data. */
async function spawnApi({ config }: TestApp, more: Record<string, string> = {}): Promise<{ url: string; log: string; signal: (name: NodeJS.Signals) => void; kill: () => Promise<void> }> {
  const port = await freePort();
  const { DATABASE_URL, REDIS_URL, AUTH_SECRET, OBJECTS_DIR, UPLOADS_DIR, MODEL_CATALOG, HUB_URL } = config;
  const folder = dirname(UPLOADS_DIR);
  const log = join(folder, 'spawned.log');
  const child = await startProcess({
    command: process.execPath,
    args: ['dist/main.js'],
    cwd: API,
    env: { ...process.env, DATABASE_URL, REDIS_URL, AUTH_SECRET, OBJECTS_DIR, UPLOADS_DIR, MODEL_CATALOG, HUB_URL: String(HUB_URL), HUB_RETRY_S: config.HUB_RETRY_S.join(), API_PORT: String(port), ...more },
    log,
    pidFile: join(folder, 'spawned.pid'),
    graceMs: 1_000,
  });
  const url = `http://127.0.0.1:${port}`;
  await expect.poll(async () => (await fetch(`${url}/ready`).catch(() => null))?.status, { timeout: 50_000 }).toBe(200);
  return {
    url,
    log,
    signal: (name) => void process.kill(Number(child.pid), name),
    async kill() {
      process.kill(Number(child.pid), 'SIGKILL');
      await child.exited;
    },
  };
}

describe('an import under way', () => {
  let hub: LocalHub;
  let test: TestApp;
  let shop: Awaited<ReturnType<typeof createTenant>>;
  const bytes = large(fixture('a'));
  const weights = bytes['adapter_model.safetensors'];

  beforeAll(async () => {
    hub = await LocalHub.start();
    hub.put('acme/plain', fixture('a'));
    hub.put('acme/big', bytes);
    hub.put('acme/secret', fixture('a'), { private: true });
  });
  afterEach(async () => {
    hub.intercept = () => false;
    hub.requests = [];
    await test.stop();
  });
  afterAll(() => hub.stop());
  async function start(more: Record<string, string> = {}): Promise<void> {
    test = await startApp({ HUB_URL: hub.url, HUB_RETRY_S: '0,0,0', ...more });
    shop = await createTenant(test);
  }

  it('goes on after a restart with what had come', async () => {
    await start();
    const [, { id }] = await Promise.all([hold(hub, weights), beginImport(test, shop.key, 'restarted', 'acme/big')]);
    await until(test, shop.key, id, hasBegun);
    await test.restart();
    const done = await ended(test, shop.key, id);
    expect(done.problems.map(({ code }) => code)).not.toContain('hub_unreachable');
    const [first, second, ...more] = readsOf(hub);
    expect([first, more]).toEqual([0, []]);
    expect(second).toBeGreaterThan(0);
  });

  it.skipIf(!isBuilt)('is taken up by another process when its own is killed', { timeout: 120_000 }, async () => {
    await start();
    const killed = await spawnApi(test);
    await test.app.get(ImportWorker).onModuleDestroy();
    const [, { id }] = await Promise.all([hold(hub, weights), beginImport({ ...test, url: killed.url }, shop.key, 'killed', 'acme/big')]);
    await until(test, shop.key, id, hasBegun);
    await killed.kill();
    const peer = await test.peer();
    const done = await ended(peer, shop.key, id);
    expect(done.problems.map(({ code }) => code)).not.toContain('hub_unreachable');
    const [first, second, ...more] = readsOf(hub);
    expect([first, more]).toEqual([0, []]);
    expect(second).toBeGreaterThan(0);
    await peer.stop();
  });

  it.skipIf(!isBuilt)('is done once when its own process stands still, and wakes when another has done it', { timeout: 120_000 }, async () => {
    await start();
    const frozen = await spawnApi(test);
    await test.app.get(ImportWorker).onModuleDestroy();
    const [held, { id }] = await Promise.all([hold(hub, weights), beginImport({ ...test, url: frozen.url }, shop.key, 'frozen', 'acme/big')]);
    await until(test, shop.key, id, hasBegun);
    frozen.signal('SIGSTOP');
    const peer = await test.peer();
    try {
      const done = await ended(peer, shop.key, id);
      held.end(weights.subarray(Math.floor(weights.length / 2)));
      frozen.signal('SIGCONT');
      // It is told that the job is not its own any more.
      await expect.poll(() => readFileSync(frozen.log, 'utf8'), { timeout: 30_000 }).toMatch(/lock/i);
      await expect.poll(() => readdirSync(test.config.UPLOADS_DIR), { timeout: 30_000 }).toEqual([]);
      expect(await ended(peer, shop.key, id)).toEqual(done);
      expect(await sql(test, "SELECT 1 FROM audit_events WHERE action = 'adapter.finishImport'")).toHaveLength(1);
    } finally {
      await frozen.kill();
      await peer.stop();
    }
  });

  it('is done once by two processes', async () => {
    await start();
    const peer = await test.peer();
    const begun = await Promise.all(Array.from({ length: 6 }, (_, i) => beginImport(i % 2 ? test : peer, shop.key, `shared-${i}`, 'acme/plain')));
    for (const worker of [test, peer].map(({ app }) => app.get(ImportWorker))) await worker.resume();
    for (const { id } of begun) expect(await ended(test, shop.key, id)).toMatchObject({ status: 'READY' });
    expect(readsOf(hub)).toHaveLength(6);
    const events = await sql(test, "SELECT 1 FROM audit_events WHERE action = 'adapter.finishImport'");
    expect(events).toHaveLength(6);
    await peer.stop();
  });

  it('survives a Redis that forgets it, and says meanwhile what it waits for', async () => {
    await start({ HUB_RETRY_S: '3600' });
    failing(hub, 'hub', 503, 1);
    const { id } = await beginImport(test, shop.key, 'forgotten', 'acme/plain');
    const waiting = await until(test, shop.key, id, ({ importWaitsFor }) => importWaitsFor !== null);
    expect(waiting).toMatchObject({ status: 'UPLOADING', importWaitsFor: expect.stringContaining('HTTP 503') as string });
    const redis = new Redis(test.config.REDIS_URL);
    await redis.flushdb();
    await test.app.get(ImportWorker).resume();
    expect(await ended(test, shop.key, id)).toMatchObject({ status: 'READY', importWaitsFor: null });
    redis.disconnect();
  });

  it.skipIf(!isBuilt)('keeps its token from everyone, and no longer than it takes', { timeout: 120_000 }, async () => {
    hub.token = 'hf_a-token-to-be-looked-for';
    await start();
    const spawned = await spawnApi(test, { LOG_LEVEL: 'trace' });
    await test.app.get(ImportWorker).onModuleDestroy();
    failing(hub, 'hub', 503, 1, { 'retry-after': '600' });
    const { id } = await beginImport({ ...test, url: spawned.url }, shop.key, 'secret', 'acme/secret', { token: hub.token });
    await until(test, shop.key, id, ({ importWaitsFor }) => importWaitsFor !== null);
    expect(await sql(test, 'SELECT 1 FROM adapter_imports WHERE length(sealed_token) > 0')).toHaveLength(1);
    const rows = [await sql(test, "SELECT encode(sealed_token, 'escape'), i.* FROM adapter_imports i"), await sql(test, 'SELECT * FROM audit_events'), await sql(test, 'SELECT * FROM adapters')];
    expect(JSON.stringify(rows)).not.toContain('hf_a-token');
    const redis = new Redis(test.config.REDIS_URL);
    expect(await everythingIn(redis)).not.toContain('hf_a-token');

    // Another process opens it; the pause that the hub asked for is forgotten.
    await spawned.kill();
    await redis.flushdb();
    const peer = await test.peer();
    await peer.app.get(ImportWorker).resume();
    expect(await ended(peer, shop.key, id)).toMatchObject({ status: 'READY' });
    expect(await sql(test, 'SELECT * FROM adapter_imports')).toEqual([]);
    const asked = (server: string) => [...new Set(hub.requests.filter((request) => request.server === server).map(({ authorization }) => authorization))];
    expect([asked('hub'), asked('files')]).toEqual([[`Bearer ${hub.token}`], [null]]);
    const log = readFileSync(spawned.log, 'utf8');
    expect(log).toContain('an attempt to import failed');
    expect(log).not.toContain('hf_a-token');
    redis.disconnect();
    await peer.stop();
    hub.token = 'hf_valid';
  });

  it('forgets the token of one that failed', async () => {
    await start();
    const failed = await importAdapter(test, shop.key, 'none', 'acme/none', { token: hub.token });
    expect(failed.status).toBe('REFUSED');
    expect(await sql(test, 'SELECT * FROM adapter_imports')).toEqual([]);
  });
});

/** Keys and values, whatever their kinds. */
async function everythingIn(redis: Redis): Promise<string> {
  const found: string[] = [];
  for (const key of await redis.keys('*')) found.push(key, (await redis.dumpBuffer(key)).toString('latin1'));
  return found.join('\n');
}
