import { CANCEL_CHANNEL, type AdapterRef } from '@aril/contracts';
import { Registry } from '@aril/metrics';
import type { ObjectStore } from '@aril/object-store';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, rm, utimes, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AdapterCache } from '../src/adapters/adapter-cache.js';
import { createLogger } from '../src/logging.js';
import { slotsOf } from '../src/engine/slots.js';
import { RunnerMetrics } from '../src/metrics/runner-metrics.js';
import { aJob, eventually, World } from './support/fixtures.js';
import { startScripted, type LocalRunner } from './support/runners.js';

let world: World;
let runners: LocalRunner[] = [];
let adapters = 0;
beforeAll(async () => {
  world = await World.create();
});
afterEach(async () => {
  await Promise.all(runners.map(({ runner }) => runner.stop()));
  runners = [];
  await world.redis.flushall();
});
afterAll(() => world.destroy());

const logger = createLogger({ LOG_LEVEL: 'silent', LOG_PRETTY: false, RUNNER_ID: 'test' });
const newAdapter = (bytes = 100, config: unknown = {}): Promise<AdapterRef> =>
  world.putAdapter(config, Buffer.alloc(bytes, `weights ${++adapters} `));

async function start(changes: Record<string, string> = {}): Promise<LocalRunner> {
  const started = await startScripted(world, changes);
  runners.push(started);
  return started;
}

/** Counts reads and fails some of them. */
class CountingStore {
  reads = 0;
  failures = 0;
  truncations = 0;

  get = async (key: string) => {
    this.reads++;
    if (this.failures-- > 0) throw new Error('connection reset');
    const stream = await world.store.get(key);
    if (this.truncations-- > 0) stream.once('data', () => stream.push(null));
    return stream;
  };

  as(): ObjectStore {
    return Object.assign(Object.create(world.store) as ObjectStore, { get: this.get });
  }
}

async function openCache(name: string, bytesMax = 1 << 20): Promise<{ cache: AdapterCache; store: CountingStore; dir: string }> {
  const dir = path.join(world.dir, 'caches', name);
  const store = new CountingStore();
  return { cache: await AdapterCache.open(dir, bytesMax, store.as(), logger, new RunnerMetrics(new Registry(), 'test')), store, dir };
}

const weightsIn = (folder: string): Promise<Buffer> => readFile(path.join(folder, 'adapter_model.safetensors'));
const cached = async (dir: string): Promise<string[]> => (await readdir(dir)).filter((name) => name !== '.partial').sort();

/** A disk of a MiB; null where this user may not mount one. */
function smallDisk(): string | null {
  const folder = mkdtempSync(path.join(tmpdir(), 'gpu-runner-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
}

const disk = smallDisk();
afterAll(() => {
  if (!disk) return;
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

describe.skipIf(!disk)('adapter cache on a disk that is smaller than it was told', () => {
  it('makes room of what nobody uses, says that it is full where all is in use, and gets over it', async () => {
    const cache = await AdapterCache.open(path.join(disk ?? '', 'cache'), 1 << 30, world.store, logger, new RunnerMetrics(new Registry(), 'test'));
    const [first, second, third] = await Promise.all([400, 400, 400].map((kib) => newAdapter(kib * 1024)));
    if (!first || !second || !third) throw new Error('no adapters');
    await cache.use(first, weightsIn);
    await cache.use(second, async () => {
      // The first one goes.
      await cache.use(third, async (folder) => {
        expect((await weightsIn(folder)).length).toBe(400 * 1024);
        await expect(cache.use(first, weightsIn)).rejects.toThrow('no space left');
      });
    });
    expect(await cached(path.join(disk ?? '', 'cache'))).toEqual([second.sha256, third.sha256].sort());
    expect(await readdir(path.join(disk ?? '', 'cache/.partial'))).toEqual([]);
    expect((await cache.use(first, weightsIn)).length).toBe(400 * 1024);
  });
});

describe('adapter cache', () => {
  it('fetches once for many users at once, and not again', async () => {
    const { cache, store } = await openCache('share');
    const adapter = await newAdapter();
    await Promise.all(Array.from({ length: 20 }, () => cache.use(adapter, weightsIn)));
    await cache.use(adapter, weightsIn);
    expect(store.reads).toBe(2);
  });

  it('fetches a damaged or shortened entry again', async () => {
    const { cache, store, dir } = await openCache('damage');
    const adapter = await newAdapter();
    const sound = await cache.use(adapter, weightsIn);
    const file = path.join(dir, adapter.sha256, 'adapter_model.safetensors');
    await writeFile(file, Buffer.alloc(100, 0));
    expect(await cache.use(adapter, weightsIn)).toEqual(sound);
    await writeFile(file, 'short');
    expect(await cache.use(adapter, weightsIn)).toEqual(sound);
    await rm(path.join(dir, adapter.sha256), { recursive: true });
    expect(await cache.use(adapter, weightsIn)).toEqual(sound);
    expect(store.reads).toBe(8);
  });

  it('survives restarts, in the order of last use, and drops the least recently used', async () => {
    const size = 1000;
    const first = await openCache('lru', 3 * (size + 2));
    const [a, b, c, d] = [await newAdapter(size), await newAdapter(size), await newAdapter(size), await newAdapter(size)];
    for (const adapter of [a, b, c]) await first.cache.use(adapter, weightsIn);
    await first.cache.use(a, weightsIn);
    await utimes(path.join(first.dir, b.sha256), new Date(1), new Date(1));
    const second = await openCache('lru', 3 * (size + 2));
    await second.cache.use(d, weightsIn);
    expect(await cached(second.dir)).toEqual([a.sha256, c.sha256, d.sha256].sort());
    await second.cache.use(a, weightsIn);
    expect(second.store.reads).toBe(2);
  });

  it('does not drop what is being read, and says so when an adapter can never fit', async () => {
    const { cache, dir } = await openCache('pinned', 1500);
    const [held, other] = [await newAdapter(1000), await newAdapter(1000)];
    await cache.use(held, async (folder) => {
      await cache.use(other, weightsIn);
      expect((await weightsIn(folder)).length).toBe(1000);
    });
    expect(await cached(dir)).toContain(held.sha256);
    await expect(cache.use(await newAdapter(5000), weightsIn)).rejects.toThrow('holds at most 1500');
  });

  it('gets over failures that pass and transfers that were cut short', async () => {
    const { cache, store } = await openCache('flaky');
    store.failures = 2;
    expect((await cache.use(await newAdapter(), weightsIn)).length).toBe(100);
    store.truncations = 1;
    expect((await cache.use(await newAdapter(300_000), weightsIn)).length).toBe(300_000);
  });

  it('gives up at once on an object that is gone and leaves nothing behind', async () => {
    const { cache, store, dir } = await openCache('gone');
    const adapter = await newAdapter();
    await world.store.deletePrefix(`adapters/${adapter.sha256}/`);
    await expect(cache.use(adapter, weightsIn)).rejects.toThrow('adapter_config.json is not in the object store');
    expect(store.reads).toBe(1);
    expect(await readdir(path.join(dir, '.partial'))).toEqual([]);
    expect(await cached(dir)).toEqual([]);
  });

  it('sweeps what a dead runner left half downloaded', async () => {
    const { dir } = await openCache('sweep');
    const left = path.join(dir, '.partial', 'left');
    await mkdir(left);
    await utimes(left, new Date(1), new Date(1));
    await openCache('sweep');
    expect(await readdir(path.join(dir, '.partial'))).toEqual([]);
  });
});

describe('adapters that cannot be had fail their own requests only', () => {
  async function failsAlone(broken: AdapterRef): Promise<string> {
    await start();
    const jobs = [aJob({ adapter: broken }), aJob({ adapter: await newAdapter() }), aJob(), aJob({ adapter: broken })];
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    const ends = await Promise.all(jobs.map((job) => world.settlement(job.generationId)));
    expect(ends.map((end) => end.finishReason)).toEqual(['error', 'length', 'length', 'error']);
    expect(ends[0]?.error?.code).toBe('ADAPTER_LOAD_FAILED');
    expect(ends[0]).toMatchObject({ promptTokens: 0, completionTokens: 0, text: '' });
    return ends[0]?.error?.message ?? '';
  }

  it('when the engine refuses it, in the engine’s words', async () => {
    expect(await failsAlone(await newAdapter(100, { refuse: 'r: found 0, expected 1 to 256' }))).toContain('r: found 0');
  });

  it('when its object has vanished', async () => {
    const adapter = await newAdapter();
    await world.store.deletePrefix(`adapters/${adapter.sha256}/`);
    expect(await failsAlone(adapter)).toContain('not in the object store');
  });

  it('when its object is not what was uploaded', async () => {
    const adapter = await newAdapter();
    await world.store.put(`adapters/${adapter.sha256}/adapter_model.safetensors`, Buffer.alloc(100, 'other'));
    expect(await failsAlone(adapter)).toContain('SHA-256');
  });

  it('when the store cannot be read, without naming paths', async () => {
    const adapter = await newAdapter();
    await world.store.delete(`adapters/${adapter.sha256}/adapter_config.json`);
    await mkdir(path.join(world.dir, 'objects/objects/adapters', adapter.sha256, 'adapter_config.json'));
    const message = await failsAlone(adapter);
    expect(message).not.toContain(world.dir);
  });
});

describe('adapters of jobs that wait', () => {
  /** A runner that takes no more jobs: one goes on until the test is over, the others it has wait for that. */
  async function startBusy(adapters: AdapterRef[] = []): Promise<LocalRunner & { letGo: () => Promise<void> }> {
    const local = await start({ MAX_BATCH: '1', DRAIN_TIMEOUT_S: '0' });
    local.engine.stepMs = 50;
    const running = Array.from({ length: slotsOf(local.config).taken }, (_, index) => aJob({ adapter: adapters[index] ?? null, sampling: { maxTokens: 1000 } }));
    for (const [index, job] of running.entries()) {
      await world.enqueue(job);
      if (index === 0) await world.untilTokens(job.generationId, 1);
    }
    await eventually('a full runner', 10_000, async () => ((await world.jobs.getActiveCount()) === running.length ? true : null));
    const letGo = async (): Promise<void> => {
      for (const job of running) await world.redis.publish(CANCEL_CHANNEL, job.generationId);
    };
    return { ...local, letGo };
  }
  const enqueue = async (adapter: AdapterRef): Promise<string> => {
    const job = aJob({ adapter });
    await world.enqueue(job);
    return job.generationId;
  };

  it('are in the engine ahead of their turn', async () => {
    const { engine } = await startBusy();
    const adapters = [await newAdapter(), await newAdapter()];
    const waiting = await Promise.all(adapters.map(enqueue));
    await eventually('the prefetched adapters', 20_000, () =>
      Promise.resolve(adapters.every(({ sha256 }) => engine.resident.has(sha256)) ? true : null),
    );
    expect(await world.jobs.getJobState(waiting[0] ?? '')).toBe('waiting');
    expect(engine.prefetched.sort()).toEqual(adapters.map(({ sha256 }) => sha256).sort());
  });

  it('take the place of adapters nobody needs, then wait on disk: none makes way for one behind it', async () => {
    const used = await newAdapter();
    const { engine, config } = await startBusy([used]);
    const stale = '0'.repeat(64);
    engine.resident.add(stale);
    engine.residentMax = 3;
    const adapters = [await newAdapter(), await newAdapter(), await newAdapter()];
    for (const adapter of adapters) await enqueue(adapter);
    await eventually('the adapters on disk', 20_000, async () => {
      const there = await cached(config.ADAPTER_CACHE_DIR);
      return adapters.every(({ sha256 }) => there.includes(sha256)) ? true : null;
    });
    const [first, second] = adapters.map(({ sha256 }) => sha256);
    expect(new Set(engine.resident)).toEqual(new Set([used.sha256, first, second]));
    // Another round finds nothing to do.
    await delay(600);
    expect(engine.prefetched).toEqual([first, second]);
  });

  it('do no harm when they cannot be had', async () => {
    const { engine, letGo } = await startBusy();
    const refused = await newAdapter(100, { refuse: 'r: found 0, expected 1 to 256' });
    const sound = await newAdapter();
    const waiting = [await enqueue(refused), await enqueue(sound)];
    await eventually('the sound adapter', 20_000, () => Promise.resolve(engine.resident.has(sound.sha256) ? true : null));
    expect(engine.prefetched.filter((name) => name === refused.sha256)).toHaveLength(1);
    await letGo();
    const ends = await Promise.all(waiting.map((id) => world.settlement(id)));
    expect(ends.map((end) => end.error?.code ?? null)).toEqual(['ADAPTER_LOAD_FAILED', null]);
  });
});

it('loads an adapter again that was dropped between loading and use', async () => {
  const { engine } = await start();
  const adapter = await newAdapter();
  const submit = engine.submit.bind(engine);
  let drops = 2;
  engine.submit = (request, sink) => {
    if (drops-- > 0) engine.resident.delete(adapter.sha256);
    submit(request, sink);
  };
  const job = aJob({ adapter });
  await world.enqueue(job);
  expect((await world.settlement(job.generationId)).finishReason).toBe('length');
});

it('waits for room that running generations will free, and gives up when none will', async () => {
  const { engine } = await start();
  engine.stepMs = 10;
  engine.residentMax = 1;
  const jobs = [];
  for (let index = 0; index < 3; index++) {
    const job = aJob({ adapter: await newAdapter() });
    jobs.push(job);
    await world.enqueue(job);
  }
  for (const job of jobs) expect((await world.settlement(job.generationId)).finishReason).toBe('length');
  engine.residentMax = 0;
  const hopeless = aJob({ adapter: await newAdapter() });
  await world.enqueue(hopeless);
  expect((await world.settlement(hopeless.generationId)).error?.code).toBe('OUT_OF_MEMORY');
});
