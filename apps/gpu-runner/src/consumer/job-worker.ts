import { generationQueue, QUEUE_PREFIX, STREAM_RETENTION_S } from '@aril/contracts';
import { Worker } from 'bullmq';
import type { Config } from '../config.js';
import { slotsOf } from '../engine/slots.js';
import type { Logger } from '../logging.js';
import { queueConnection } from '../redis/connections.js';
import type { GenerationProcessor } from './generation-processor.js';

/**
 * BullMQ fails a job without a word to anybody once it has stalled this often. Who is interrupted how often, and what
 * the caller is then told, is decided by the fence in `why-not-run`, so BullMQ's own limit must never be the first.
 */
const STALLS_MAX = 1_000_000;

/** Takes jobs from the base model's queue. Does not start by itself. */
export function createWorker(config: Config, processor: GenerationProcessor, logger: Logger): Worker {
  const worker = new Worker(
    generationQueue(config.BASE_MODEL_ID),
    async (job, token) => {
      if (token === undefined) throw new Error(`job ${job.id}: found no lock token, expected one from BullMQ`);
      await processor.process(job, token);
    },
    {
      connection: queueConnection(config.REDIS_URL),
      prefix: QUEUE_PREFIX,
      name: config.RUNNER_ID,
      autorun: false,
      concurrency: slotsOf(config).taken,
      lockDuration: config.LOCK_DURATION_MS,
      stalledInterval: config.STALL_INTERVAL_MS,
      maxStalledCount: STALLS_MAX,
      // A finished job holds the prompt: it goes at once. The ends are in the stream, and settled.
      removeOnComplete: { count: 0 },
      removeOnFail: { age: STREAM_RETENTION_S },
      // How soon BullMQ tries again what it could not do while Redis was away; its default is 15 s.
      runRetryDelay: 1000,
    },
  );
  worker.on('error', (error) => logger.warn({ error: error.message }, 'the job worker reported an error'));
  worker.on('stalled', (jobId) => logger.warn({ generationId: jobId }, "taking over a dead runner's generation"));
  return worker;
}
