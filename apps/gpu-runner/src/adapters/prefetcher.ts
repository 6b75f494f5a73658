import { generationJobSchema, type GenerationJob } from '@aril/contracts';
import type { Queue } from 'bullmq';
import type { Logger } from '../logging.js';
import type { AdapterCache } from './adapter-cache.js';

const INTERVAL_MS = 1000;
/** Jobs looked at per round: about what the batch takes next. More would fetch for other runners' jobs. */
const LOOKAHEAD = 16;

/**
 * Fetches the adapters of jobs that wait in the queue, so that their files are on disk when a slot frees up. Best
 * effort: another runner may take the job, and nothing here can fail a request.
 */
export class Prefetcher {
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(
    private readonly queue: Queue<GenerationJob>,
    private readonly cache: AdapterCache,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.#tick(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #tick(): Promise<void> {
    // A round that waits for Redis or a slow store must not be joined by a second one.
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.look();
    } catch (error) {
      this.logger.debug({ error: String(error) }, 'looking ahead in the queue failed');
    } finally {
      this.#looking = false;
    }
  }

  /** One round: the next jobs, their distinct adapters, one after the other. */
  async look(): Promise<void> {
    const jobs = await this.queue.getJobs(['waiting', 'prioritized'], 0, LOOKAHEAD - 1, true);
    const adapterSchema = generationJobSchema.shape.adapter;
    const adapters = jobs.flatMap((job) => {
      const parsed = adapterSchema.safeParse(job?.data?.adapter);
      return parsed.success && parsed.data ? [parsed.data] : [];
    });
    const distinct = new Map(adapters.map((adapter) => [adapter.sha256, adapter]));
    for (const adapter of distinct.values()) await this.cache.prefetch(adapter);
  }
}
