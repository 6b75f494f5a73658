import { addDiskMetrics, counterOf, gaugeOf, type Registry } from '@aril/metrics';
import type { AdapterCache } from '../adapters/adapter-cache.js';
import type { Admission } from '../engine/admission.js';

interface RunnerParts {
  cache: AdapterCache;
  cacheDir: string;
  admission: Admission;
  /** Taken and not done with. */
  generations: () => number;
}

/** How a runner's parts are doing, read from them when somebody asks. */
export function addRunnerState(registry: Registry, { cache, cacheDir, admission, generations }: RunnerParts): void {
  const gauge = (name: string, help: string, read: () => number): void => gaugeOf(registry, { name, help }, read);
  gauge('aril_runner_generations', 'Generations taken from the queue and not done with.', generations);
  gauge('aril_runner_paused', '1 while nothing new is given to the engine, because Redis does not take tokens.', () => (admission.isOpen ? 0 : 1));
  gauge('aril_runner_adapter_cache_adapters', 'Adapters on disk.', () => cache.usage().adapters);
  gauge('aril_runner_adapter_cache_bytes', 'Bytes of adapters on disk.', () => cache.usage().bytes);
  gauge('aril_runner_adapter_cache_limit_bytes', 'What they may take: ADAPTER_CACHE_BYTES.', () => cache.usage().bytesMax);
  const evicted = { name: 'aril_runner_adapter_cache_evictions_total', help: 'Adapters removed from disk to make room.' };
  counterOf(registry, evicted, () => cache.usage().evicted);
  const disk = { name: 'aril_runner_disk_bytes', help: "The cache folder's disk: what it holds in all, and what is free for us." };
  addDiskMetrics(registry, disk, cacheDir);
}
