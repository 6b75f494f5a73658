import type { AdapterRef } from '@aril/contracts';
import { isDiskFull } from '@aril/object-store';
import { setTimeout as delay } from 'node:timers/promises';
import { adapterFailure } from '../engine/engine-failures.js';
import { EngineFailure, type InferenceEngine } from '../engine/inference-engine.js';
import type { Logger } from '../logging.js';
import type { AdapterCache } from './adapter-cache.js';
import { AdapterFetchError } from './adapter-download.js';

/** Waits for running generations to let go of their adapters, milliseconds: each look for room reads the files again. */
const ROOM_WAIT_MS = { first: 50, max: 1000 };

/** After a prefetch that found no room: it read the file for nothing, which must not become a habit. */
const PREFETCH_PAUSE_MS = 1000;

/** What the engine says of files that are not there any more. */
const VANISHED = new Set(['io_error', 'adapter_not_found']);

/**
 * Brings adapters from the object store over the disk into the engine while other requests go on. Requests for the same
 * adapter share one load; each gets the failure of its own adapter and of no other.
 */
export class AdapterResidency {
  readonly #loads = new Map<string, Promise<void>>();
  #prefetchesFromMs = 0;
  /** Of the adapters prefetched last, those that could not be loaded: who needs one will see why. */
  #unloadable = new Set<string>();

  constructor(
    private readonly cache: AdapterCache,
    private readonly engine: InferenceEngine,
    private readonly logger: Logger,
  ) {}

  /**
   * Resolves when the adapter was resident a moment ago; rejects with `EngineFailure`, or the signal's reason. Where
   * adapters in use leave no room, it waits for room until the deadline.
   */
  async ensure(adapter: AdapterRef, deadlineMs: number, signal: AbortSignal): Promise<void> {
    for (let wait = ROOM_WAIT_MS.first; ; wait = Math.min(wait * 2, ROOM_WAIT_MS.max)) {
      signal.throwIfAborted();
      if (this.engine.hasAdapter(adapter.sha256)) return;
      try {
        return await this.#shared(adapter);
      } catch (error) {
        if (!this.#mayFindRoom(error) || Date.now() > deadlineMs) throw error;
      }
      await delay(wait);
    }
  }

  /**
   * Brings adapters into the engine ahead of their use, the first one first, and the rest to disk. Those in use stay,
   * and none of these makes way for another of them. Does not throw: who needs an adapter will see its failure.
   */
  async prefetch(adapters: readonly AdapterRef[]): Promise<void> {
    const wanted = new Set(adapters.map(({ sha256 }) => sha256));
    this.#unloadable = new Set([...this.#unloadable].filter((sha256) => wanted.has(sha256)));
    // The last one first, so that the one needed soonest counts as used most recently.
    for (const { sha256 } of adapters.toReversed()) this.engine.touchAdapter(sha256);
    for (const adapter of adapters) {
      const { sha256 } = adapter;
      if (this.engine.hasAdapter(sha256) || this.#loads.has(sha256) || this.#unloadable.has(sha256)) continue;
      if (this.#mayHaveRoom(wanted)) await this.#prefetch(adapter);
      else await this.cache.prefetch(adapter);
    }
  }

  async #prefetch(adapter: AdapterRef): Promise<void> {
    try {
      const resident = await this.cache.use(adapter, (folder) => this.engine.prefetchAdapter(adapter.sha256, folder));
      if (!resident) this.#prefetchesFromMs = Date.now() + PREFETCH_PAUSE_MS;
    } catch (error) {
      this.#unloadable.add(adapter.sha256);
      this.logger.debug({ adapter: adapter.sha256, error: String(error) }, 'prefetch failed');
    }
  }

  /** Whether an adapter that nobody needs could go, or there is room. What a load takes is known after it only. */
  #mayHaveRoom(wanted: ReadonlySet<string>): boolean {
    if (Date.now() < this.#prefetchesFromMs) return false;
    const resident = this.engine.adapters();
    if (resident.some(({ name, pinned }) => !pinned && !wanted.has(name))) return true;
    const { adapterBytes, adapterBytesMax } = this.engine.load();
    return adapterBytes + Math.max(0, ...resident.map(({ bytes }) => bytes)) <= adapterBytesMax;
  }

  #shared(adapter: AdapterRef): Promise<void> {
    const running = this.#loads.get(adapter.sha256);
    if (running) return running;
    const load = this.#load(adapter).finally(() => this.#loads.delete(adapter.sha256));
    this.#loads.set(adapter.sha256, load);
    return load;
  }

  async #load(adapter: AdapterRef): Promise<void> {
    try {
      const load = (folder: string): Promise<void> => this.engine.loadAdapter(adapter.sha256, folder);
      await this.cache.use(adapter, load).catch((error: unknown) => {
        // Another runner that shares the cache folder may have dropped the entry between our check and the engine's read.
        if (!(error instanceof EngineFailure) || !VANISHED.has(error.engineCode)) throw error;
        return this.cache.use(adapter, load);
      });
    } catch (error) {
      if (error instanceof EngineFailure) throw error;
      // Not the adapter's fault, and it passes.
      if (isDiskFull(error)) throw adapterFailure('out_of_memory', '', error);
      // What the store or the disk said may name hosts and paths; only our own sentences go to the tenant.
      const shown = error instanceof AdapterFetchError ? error.message : 'its files could not be fetched.';
      throw adapterFailure('adapter_fetch_failed', shown, error);
    }
  }

  /** Memory full of adapters that are in use frees up when their generations end; an idle engine is truly too small. */
  #mayFindRoom(error: unknown): boolean {
    if (!(error instanceof EngineFailure) || error.engineCode !== 'out_of_memory') return false;
    const { running, waiting } = this.engine.load();
    return running + waiting > 0;
  }
}
