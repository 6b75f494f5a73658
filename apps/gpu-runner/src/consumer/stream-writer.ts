import type { Redis } from 'ioredis';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import type { Admission } from '../engine/admission.js';
import type { Logger } from '../logging.js';
import { appendEvents, type AppendResult } from '../redis/append-events.js';
import type { StreamChannel } from './stream-channel.js';

/** A Redis that neither answers nor closes the connection is given up after this, and connected to anew. */
const ROUND_TRIP_MS_MAX = 10_000;

/**
 * Writes the events of all generations: one pipelined round trip at a time, each with everything that has come up
 * since the last one. So the round trips per second never exceed the engine's steps, whatever the batch size, and a
 * slow Redis makes events larger instead of a queue longer. While Redis is away, admission is closed and the same
 * calls are repeated; they are idempotent (see append-events). One that comes back without what was written gets it again.
 */
export class StreamWriter {
  readonly #changed = new Set<StreamChannel>();
  #sending = false;
  #stopped = false;

  constructor(
    private readonly redis: Redis,
    private readonly admission: Admission,
    private readonly logger: Logger,
  ) {}

  /** Marks a channel that has something to write; `flush` sends it. */
  touch(channel: StreamChannel): void {
    this.#changed.add(channel);
  }

  /** Starts sending if nothing is being sent. Called once per engine step. */
  flush(): void {
    if (this.#stopped || this.#sending) return;
    this.#sending = true;
    void this.#run().finally(() => {
      this.#sending = false;
      // A channel touched after the last look would otherwise wait for the next step.
      if (this.#changed.size > 0) this.flush();
    });
  }

  /** Gives up what is not written. Only for the end of the process. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    while (this.#changed.size > 0 && !this.#stopped) {
      // A generation's end is composed in microtasks after the step that brought it. Waiting for them puts its last
      // tokens, its end and its settlement into one call, so no reader and no crash ever sees them apart.
      await setImmediate();
      const batch = [...this.#changed].filter((channel) => channel.hasWork);
      this.#changed.clear();
      await this.#send(batch);
    }
  }

  async #send(batch: StreamChannel[]): Promise<void> {
    let left = batch;
    for (let failures = 0; left.length > 0 && !this.#stopped; failures++) {
      if (failures > 0) await delay(Math.min(20 * 2 ** failures, 1000));
      left = await this.#attempt(left, failures);
    }
    if (!this.admission.isOpen && !this.#stopped) {
      this.logger.info('Redis takes tokens again; submitting new generations');
      this.admission.open();
    }
  }

  /** Returns the channels whose call has to be repeated. */
  async #attempt(batch: StreamChannel[], failures: number): Promise<StreamChannel[]> {
    const results = await this.#roundTrip(batch);
    const again = batch.filter((channel, index) => this.#apply(channel, results[index]));
    const refused = results.find((result) => result.outcome === 'retry');
    // One NOSCRIPT is how a fresh Redis is met; it is no reason to pause anything.
    if (refused && (failures > 0 || !reasonOf(refused).startsWith('NOSCRIPT'))) this.#pause(reasonOf(refused));
    return again;
  }

  async #roundTrip(batch: StreamChannel[]): Promise<AppendResult[]> {
    const watchdog = setTimeout(() => this.redis.disconnect(true), ROUND_TRIP_MS_MAX);
    try {
      return await appendEvents(this.redis, batch.map((channel) => channel.freeze()));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return batch.map(() => ({ outcome: 'retry' as const, reason }));
    } finally {
      clearTimeout(watchdog);
    }
  }

  #apply(channel: StreamChannel, result: AppendResult | undefined): boolean {
    if (!result || result.outcome === 'retry') return true;
    if (result.outcome === 'written') {
      channel.confirm();
      if (channel.hasWork) this.#changed.add(channel);
      return false;
    }
    const { generationId, fence } = channel;
    if (result.outcome === 'forgotten' && channel.restore()) {
      this.logger.warn({ generationId, fence }, 'Redis has lost what was written; writing it again');
      return true;
    }
    if (result.outcome === 'fenced') this.logger.warn({ generationId, fence }, 'another runner owns this generation');
    else this.logger.error({ generationId, fence, reason: reasonOf(result) }, 'the stream is not what this runner wrote');
    channel.lose();
    return false;
  }

  #pause(reason: string): void {
    if (this.admission.isOpen) this.logger.warn({ reason }, 'Redis does not take tokens; no new generations are submitted');
    this.admission.close();
  }
}

const reasonOf = (result: AppendResult | undefined): string => (result && 'reason' in result ? result.reason : '');
