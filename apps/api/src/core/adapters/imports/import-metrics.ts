import { Counter, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';

/** `refused`: for what is in the adapter. `failed`: it could not be had. `postponed`: it is tried again. */
export type ImportOutcome = 'ready' | 'refused' | 'failed' | 'postponed';
const OUTCOMES: ImportOutcome[] = ['ready', 'refused', 'failed', 'postponed'];

/** Attempts to import adapters from the hub, by what became of them. */
@Injectable()
export class ImportMetrics {
  private readonly attempts: Counter<'outcome'>;

  constructor(registry: Registry) {
    this.attempts = new Counter({ name: 'aril_api_adapter_import_attempts_total', help: 'Attempts to import an adapter from the hub, by what became of them.', labelNames: ['outcome'], registers: [registry] });
    for (const outcome of OUTCOMES) this.attempts.inc({ outcome }, 0);
  }

  note(outcome: ImportOutcome): void {
    this.attempts.inc({ outcome });
  }
}
