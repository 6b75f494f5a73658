import type { AdapterRef } from '@aril/contracts';
import { isDiskFull, type ObjectStore } from '@aril/object-store';
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../logging.js';
import type { RunnerMetrics } from '../metrics/runner-metrics.js';
import { AdapterFetchError, downloadFile, isIntact } from './adapter-download.js';
import { CacheFolder } from './cache-folder.js';

/** Waits between tries of a failed fetch, milliseconds: long enough for a store's hiccup, short for who is waiting. */
const RETRY_DELAYS_MS = [100, 400, 1500];

/**
 * Adapter files on disk by content hash: `<folder>/<sha256>/adapter_config.json` and `adapter_model.safetensors`.
 * An entry is renamed into place when both files are verified, so a folder that exists was whole once. Concurrent
 * fetches of an adapter share one. The least recently used entries go first; those in use stay.
 */
export class AdapterCache {
  readonly #fetches = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  private constructor(
    private readonly folder: CacheFolder,
    private readonly store: ObjectStore,
    private readonly logger: Logger,
    private readonly metrics: RunnerMetrics,
  ) {}

  static async open(dir: string, bytesMax: number, store: ObjectStore, logger: Logger, metrics: RunnerMetrics): Promise<AdapterCache> {
    return new AdapterCache(await CacheFolder.open(dir, bytesMax), store, logger, metrics);
  }

  /** What lies on disk now, and how many entries have made room for others since the start. */
  usage(): { adapters: number; bytes: number; bytesMax: number; evicted: number } {
    return this.folder.usage();
  }

  /** Calls `read` with the adapter's verified folder, which stays until the returned promise settles. */
  async use<T>(adapter: AdapterRef, read: (folder: string) => Promise<T>): Promise<T> {
    const release = this.folder.pin(adapter.sha256);
    try {
      await this.#shared(adapter);
      return await read(this.folder.pathOf(adapter.sha256));
    } finally {
      release();
    }
  }

  /** Brings the files to disk ahead of their use. Does not throw: who needs the adapter will see the failure. */
  async prefetch(adapter: AdapterRef): Promise<void> {
    if (this.folder.has(adapter.sha256) || this.#fetches.has(adapter.sha256)) return;
    await this.use(adapter, async () => {}).catch((error: unknown) => {
      this.logger.debug({ adapter: adapter.sha256, error: String(error) }, 'prefetch failed');
    });
  }

  close(): void {
    this.#closing.abort();
  }

  #shared(adapter: AdapterRef): Promise<void> {
    const running = this.#fetches.get(adapter.sha256);
    if (running) return running;
    const fetch = this.#ensure(adapter).finally(() => this.#fetches.delete(adapter.sha256));
    this.#fetches.set(adapter.sha256, fetch);
    return fetch;
  }

  async #ensure(adapter: AdapterRef): Promise<void> {
    // Looked at on disk, not in our list: another runner that shares the folder may have put it there.
    if (await this.#isIntact(adapter)) {
      this.folder.add(adapter.sha256, bytesOf(adapter));
      return this.folder.touch(adapter.sha256);
    }
    if (this.folder.has(adapter.sha256)) {
      this.logger.warn({ adapter: adapter.sha256 }, 'the cached adapter is damaged; fetching it again');
    }
    await this.folder.remove(adapter.sha256);
    await this.metrics.adapterFetch(() => this.#fetchWithRetries(adapter));
  }

  async #isIntact(adapter: AdapterRef): Promise<boolean> {
    for (const file of adapter.files) {
      if (!(await isIntact(file, this.folder.pathOf(adapter.sha256)))) return false;
    }
    return true;
  }

  async #fetchWithRetries(adapter: AdapterRef): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#fetch(adapter);
      } catch (error) {
        const wait = RETRY_DELAYS_MS[attempt];
        // The disk is smaller than we were told, or others fill it.
        if (isDiskFull(error) && (await this.folder.removeOldestIdle())) continue;
        const permanent = error instanceof AdapterFetchError && error.permanent;
        if (permanent || wait === undefined || this.#closing.signal.aborted) throw error;
        this.logger.warn({ adapter: adapter.sha256, attempt, error: String(error) }, 'fetching an adapter failed; trying again');
        await delay(wait);
      }
    }
  }

  async #fetch(adapter: AdapterRef): Promise<void> {
    await this.folder.makeRoom(bytesOf(adapter));
    const partial = path.join(this.folder.partial, randomBytes(12).toString('hex'));
    await mkdir(partial);
    try {
      for (const file of adapter.files) await downloadFile(this.store, file, partial, this.#closing.signal);
      await rename(partial, this.folder.pathOf(adapter.sha256)).catch((error: NodeJS.ErrnoException) => {
        // Another runner sharing this folder was faster; its content has the same hash.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
      this.folder.add(adapter.sha256, bytesOf(adapter));
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
}

const bytesOf = (adapter: AdapterRef): number => adapter.files.reduce((sum, file) => sum + file.bytes, 0);
