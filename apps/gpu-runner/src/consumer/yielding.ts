import { turnOfScore } from '@aril/contracts';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from '../logging.js';
import type { GenerationRun } from './generation-run.js';

const INTERVAL_MS = 100;
/** Jobs at the head of the queue that are looked at, and at most handed back, at once. */
const LOOKAHEAD = 8;

/**
 * When no more is taken, and somebody waits in the queue whose turn is before that of a job which was taken and has no
 * slot yet, that job goes back: otherwise the jobs of one tenant who has used up his slots would stand in everybody's way.
 */
export class Yielding {
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(
    private readonly redis: Redis,
    private readonly queue: Queue,
    private readonly isFull: () => boolean,
    private readonly runs: () => GenerationRun[],
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.#tick(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #tick(): Promise<void> {
    if (this.#looking || !this.isFull()) return;
    this.#looking = true;
    try {
      await this.#look();
    } catch (error) {
      this.logger.debug({ error: String(error) }, 'looking at the head of the queue failed');
    } finally {
      this.#looking = false;
    }
  }

  async #look(): Promise<void> {
    if (this.#held().length === 0) return;
    const head = await this.redis.zrange(this.queue.toKey('prioritized'), '0', String(LOOKAHEAD - 1), 'WITHSCORES');
    const turns = head.filter((_, index) => index % 2 === 1).map((score) => turnOfScore(Number(score)));
    const held = this.#held();
    for (const [index, turn] of turns.entries()) {
      const run = held[index];
      if (!run || run.turn <= turn) return;
      run.interrupt('handedBack');
    }
  }

  /** Taken and not in the engine, the last of the fair order first. */
  #held(): GenerationRun[] {
    return this.runs().filter((run) => !run.isInEngine).sort((a, b) => b.turn - a.turn);
  }
}
