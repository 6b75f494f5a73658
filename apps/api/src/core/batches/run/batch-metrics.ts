import { Counter, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import type { LineResult } from './batch-result.js';

@Injectable()
export class BatchMetrics {
  private readonly requests: Counter<'outcome'>;

  constructor(registry: Registry) {
    this.requests = new Counter({ name: 'aril_api_batch_requests_total', help: 'Requests of batches that were begun and have ended, by what became of them.', labelNames: ['outcome'], registers: [registry] });
    for (const outcome of ['answered', 'failed']) this.requests.inc({ outcome }, 0);
  }

  note({ failed }: LineResult): void {
    this.requests.inc({ outcome: failed ? 'failed' : 'answered' });
  }
}
