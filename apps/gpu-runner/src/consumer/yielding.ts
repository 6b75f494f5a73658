import { turnOfScore } from '@aril/contracts';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from '../logging.js';
import { Rounds } from '../rounds.js';
import type { GenerationRun } from './generation-run.js';

const INTERVAL_MS = 100;
/** Jobs at the head of the queue that are looked at, and at most handed back, at once. */
const LOOKAHEAD = 8;

/**
 * When no more is taken, and somebody waits in the queue whose turn is before that of a job which was taken and has no
 * slot yet, that job goes back: otherwise the jobs of one tenant who has used up his slots would stand in everybody's way.
 */
export class Yielding {
  readonly #rounds: Rounds;

  constructor(
    private readonly redis: Redis,
    private readonly queue: Queue,
    private readonly isFull: () => boolean,
    private readonly runs: () => GenerationRun[],
    logger: Logger,
  ) {
    const onFailure = (error: unknown): void => logger.debug({ error: String(error) }, 'looking at the head of the queue failed');
    this.#rounds = new Rounds(INTERVAL_MS, () => this.#look(), onFailure);
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): void {
    this.#rounds.stop();
  }

  async #look(): Promise<void> {
    if (!this.isFull() || this.#held().length === 0) return;
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
