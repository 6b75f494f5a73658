import { JOB_SETTLE_GENERATION, settlementJobId, type Settlement } from '@aril/contracts';
import type { Queue } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../logging.js';

/**
 * A settlement is money: it is tried until the API has applied it, every few seconds for about two weeks, and kept for
 * a person to see if even that fails.
 */
const SETTLEMENT_OPTIONS = {
  attempts: 250_000,
  backoff: { type: 'fixed', delay: 5_000 },
  removeOnComplete: true,
  removeOnFail: false,
};

/** Between tries. A Redis that is away makes the try itself wait; this is for one that refuses, being full. */
const RETRY_MS = 1000;

/** For as long it is kept here what Redis may still lose before the API has applied it, which mostly takes a moment. */
const KEPT_MS = 60_000;

/** Reports the ends of generations to the API, through Redis. */
export class SettlementReporter {
  /** Reported lately, in the order of their time. */
  readonly #reported = new Map<string, { settlement: Settlement; atMs: number }>();

  constructor(
    private readonly queue: Queue<Settlement>,
    private readonly logger: Logger,
  ) {}

  /**
   * True when the settlement is safely in Redis; false when `givenUp` said so after a failed try: the end is decided
   * and kept, so who gets the job next reports it in the same words. Reporting an end twice is one job while the first
   * waits, and changes nothing when it has been applied.
   */
  async report(settlement: Settlement, givenUp: () => boolean): Promise<boolean> {
    const { generationId, tenantId } = settlement;
    for (;;) {
      try {
        await this.#add(settlement);
        this.#keep(settlement);
        return true;
      } catch (error) {
        this.logger.warn({ generationId, tenantId, error: String(error) }, 'the settlement was not queued; trying again');
      }
      if (givenUp()) return false;
      await delay(RETRY_MS);
    }
  }

  /** Redis is thought to have lost its data: what it had of ours, and nobody may have applied yet, is reported once more. */
  reportAgain(): void {
    this.#forgetOld();
    for (const { settlement } of this.#reported.values()) void this.report(settlement, () => true);
  }

  #add(settlement: Settlement): Promise<unknown> {
    return this.queue.add(JOB_SETTLE_GENERATION, settlement, { jobId: settlementJobId(settlement.generationId), ...SETTLEMENT_OPTIONS });
  }

  #keep(settlement: Settlement): void {
    this.#forgetOld();
    this.#reported.delete(settlement.generationId);
    this.#reported.set(settlement.generationId, { settlement, atMs: Date.now() });
  }

  #forgetOld(): void {
    for (const [generationId, { atMs }] of this.#reported) {
      if (Date.now() - atMs < KEPT_MS) return;
      this.#reported.delete(generationId);
    }
  }
}
