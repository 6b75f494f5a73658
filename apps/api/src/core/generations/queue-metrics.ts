import { gaugesOf, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import { BaseModelService } from '../base-models/base-model.service.js';
import { GenerationQueue } from './generation-queue.js';

/**
 * How long the queues are. Every API process tells the same, as they look at one Redis: take the largest, not the sum.
 */
@Injectable()
export class QueueMetrics {
  constructor(registry: Registry, queue: GenerationQueue, models: BaseModelService) {
    const generations = { name: 'aril_api_queue_jobs', help: 'Generations in the queue of their base model, by state.', labelNames: ['base_model', 'state'] as const };
    gaugesOf(registry, generations, async () => {
      const all = models.list().map(async ({ id }) => states(await queue.depths(id), (state) => ({ base_model: id, state })));
      return (await Promise.all(all)).flat();
    });
    const settlements = { name: 'aril_api_settlement_queue_jobs', help: 'Settlements in their queue, by state; failed: kept for a person to see.', labelNames: ['state'] as const };
    gaugesOf(registry, settlements, async () => states(await queue.settlementDepths(), (state) => ({ state })));
  }
}

const states = <L>(counts: Record<string, number>, labels: (state: string) => L): { labels: L; value: number }[] =>
  Object.entries(counts).map(([state, value]) => ({ labels: labels(state), value }));
