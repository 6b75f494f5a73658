import { Counter, Histogram, LATENCY_BUCKETS_S, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import type { Settlement } from '@aril/contracts';

/** `already_settled`: told twice. `postponed`: it failed and is tried again. `refused`: it can never be applied. */
export type SettlementOutcome = 'applied' | 'already_settled' | 'postponed' | 'refused';

/** How settlements from the queue fare, and what was charged. */
@Injectable()
export class SettlementMetrics {
  private readonly settlements: Counter<'outcome'>;
  private readonly lag: Histogram;
  private readonly charged: Counter<'base_model'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.settlements = new Counter({ name: 'aril_api_settlements_total', help: 'Settlements taken from the queue, by what became of them.', labelNames: ['outcome'], registers });
    this.lag = new Histogram({ name: 'aril_api_settlement_lag_seconds', help: "From a generation's end on its runner to its charge in the ledger.", buckets: LATENCY_BUCKETS_S, registers });
    this.charged = new Counter({ name: 'aril_api_charged_usd_total', help: 'US dollars charged for generations, as this process wrote them.', labelNames: ['base_model'], registers });
    for (const outcome of ['applied', 'already_settled', 'postponed', 'refused']) this.settlements.inc({ outcome }, 0);
  }

  note(outcome: SettlementOutcome): void {
    this.settlements.inc({ outcome });
  }

  applied({ finishedAtMs }: Settlement): void {
    this.note('applied');
    this.lag.observe(Math.max(Date.now() - finishedAtMs, 0) / 1000);
  }

  charge(baseModelId: string, nanoUsd: bigint): void {
    this.charged.inc({ base_model: baseModelId }, Number(nanoUsd) / 1e9);
  }
}
