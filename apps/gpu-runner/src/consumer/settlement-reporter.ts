import { JOB_SETTLE_GENERATION, settlementJobId, type Settlement } from '@aril/contracts';
import type { Queue } from 'bullmq';

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

/** Reports the ends of generations to the API, through Redis. */
export class SettlementReporter {
  constructor(private readonly queue: Queue<Settlement>) {}

  /**
   * Resolves when the settlement is safely in Redis. Reporting the same end twice is one job while the first waits,
   * and changes nothing when it has been applied.
   */
  async report(settlement: Settlement): Promise<void> {
    const jobId = settlementJobId(settlement.generationId);
    await this.queue.add(JOB_SETTLE_GENERATION, settlement, { jobId, ...SETTLEMENT_OPTIONS });
  }
}
