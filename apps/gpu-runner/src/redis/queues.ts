import { generationQueue, QUEUE_PREFIX, SETTLEMENT_QUEUE, type GenerationJob, type Settlement } from '@aril/contracts';
import { Queue, type QueueOptions } from 'bullmq';
import type { Logger } from '../logging.js';
import { queueConnection } from './connections.js';

export const openSettlementQueue = (url: string, logger: Logger): Queue<Settlement> =>
  observed(new Queue<Settlement>(SETTLEMENT_QUEUE, optionsFor(url)), logger);

/** The runner's own queue, for looking ahead. */
export const openGenerationQueue = (url: string, baseModelId: string, logger: Logger): Queue<GenerationJob> =>
  observed(new Queue<GenerationJob>(generationQueue(baseModelId), optionsFor(url)), logger);

const optionsFor = (url: string): QueueOptions => ({ connection: queueConnection(url), prefix: QUEUE_PREFIX });

function observed<T extends Queue>(queue: T, logger: Logger): T {
  queue.on('error', (error: Error) => logger.warn({ queue: queue.name, error: error.message }, 'queue connection failed'));
  return queue;
}
