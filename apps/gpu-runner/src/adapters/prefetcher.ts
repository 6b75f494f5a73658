import { generationJobSchema, type AdapterRef, type GenerationJob } from '@aril/contracts';
import type { Queue } from 'bullmq';
import type { Logger } from '../logging.js';
import type { AdapterResidency } from './adapter-residency.js';

/** Short beside a generation, whose end is what the next job waits for. */
const INTERVAL_MS = 250;
/** Jobs looked at per round: about what the batch takes next. More would fetch for other runners' jobs. */
const LOOKAHEAD = 16;

/**
 * Brings the adapters of jobs that wait in the queue to disk and into the engine, so that none of them waits for a load
 * when a slot frees up. Best effort: another runner may take the job, and nothing here can fail a request.
 */
export class Prefetcher {
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  /** By job id: a job is read once, because it holds its prompt. null: for the base model, or no job. */
  #ahead = new Map<string, AdapterRef | null>();

  constructor(
    private readonly queue: Queue<GenerationJob>,
    private readonly adapters: AdapterResidency,
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

  /** One round: the next jobs' distinct adapters, in the order of the jobs. */
  async look(): Promise<void> {
    const ids = await this.queue.getRanges(['wait', 'prioritized'], 0, LOOKAHEAD - 1, true);
    const ahead = await Promise.all(ids.slice(0, LOOKAHEAD).map(async (id) => [id, await this.#adapterOf(id)] as const));
    this.#ahead = new Map(ahead);
    const distinct = new Map(ahead.flatMap(([, adapter]) => (adapter ? [[adapter.sha256, adapter] as const] : [])));
    await this.adapters.prefetch([...distinct.values()]);
  }

  async #adapterOf(id: string): Promise<AdapterRef | null> {
    const known = this.#ahead.get(id);
    if (known !== undefined) return known;
    const job = await this.queue.getJob(id);
    const parsed = generationJobSchema.shape.adapter.safeParse(job?.data?.adapter);
    return parsed.success ? parsed.data : null;
  }
}
