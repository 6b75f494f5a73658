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

/** Reports the ends of generations to the API, through Redis. */
export class SettlementReporter {
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
    const options = { jobId: settlementJobId(generationId), ...SETTLEMENT_OPTIONS };
    for (;;) {
      try {
        await this.queue.add(JOB_SETTLE_GENERATION, settlement, options);
        return true;
      } catch (error) {
        this.logger.warn({ generationId, tenantId, error: String(error) }, 'the settlement was not queued; trying again');
      }
      if (givenUp()) return false;
      await delay(RETRY_MS);
    }
  }
}
