import { generationJobSchema, type AdapterRef, type GenerationJob } from '@aril/contracts';
import type { Queue } from 'bullmq';
import type { Logger } from '../logging.js';
import { Rounds } from '../rounds.js';
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
  readonly #rounds: Rounds;
  /** By job id: a job is read once, because it holds its prompt. null: for the base model, or no job. */
  #ahead = new Map<string, AdapterRef | null>();

  constructor(
    private readonly queue: Queue<GenerationJob>,
    private readonly adapters: AdapterResidency,
    logger: Logger,
  ) {
    const onFailure = (error: unknown): void => logger.debug({ error: String(error) }, 'looking ahead in the queue failed');
    this.#rounds = new Rounds(INTERVAL_MS, () => this.look(), onFailure);
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): void {
    this.#rounds.stop();
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
