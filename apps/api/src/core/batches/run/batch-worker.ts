/**
 * Which API process runs which batch: a job of BullMQ each, taken up by another process when one dies. The jobs say no more
 * than that; a Redis without its data gets them again by the rows that are open.
 */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { Queue, Worker } from 'bullmq';
import { RedisService } from '../../../base/redis/redis.service.js';
import type { Schedule } from '../../../base/redis/schedule.js';
import { Schedules } from '../../../base/redis/schedules.js';
import { WORKER_OPTIONS } from '../../../base/redis/worker-options.js';
import { BatchModel, type BatchKey } from '../../../models/batch.model.js';
import { BatchFilePurge } from '../files/batch-file-purge.js';
import { BatchRunner } from './batch-runner.js';

const QUEUE = 'batches';
const RESUME_EVERY_MS = 5_000;
const PURGE_EVERY_MS = 60_000;
/** What one process runs at once; how much of a batch is under way is bounded by its tenant. */
const BATCHES_AT_ONCE = 500;
const BATCHES_PER_LOOK = 10_000;

@Injectable()
export class BatchWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(BatchWorker.name);
  private readonly stop = new AbortController();
  private readonly queue: Queue<BatchKey>;
  private readonly schedule: Schedule;
  private worker: Worker<BatchKey> | null = null;

  constructor(
    private readonly redis: RedisService,
    schedules: Schedules,
    private readonly batches: BatchModel,
    private readonly runner: BatchRunner,
    purge: BatchFilePurge,
  ) {
    this.queue = new Queue(QUEUE, { connection: redis.client, prefix: QUEUE_PREFIX });
    this.queue.on('error', (error) => this.logger.warn(`queue: ${error.message}`));
    this.schedule = schedules.of('batches', [
      { name: 'batch.resumeOpen', everyMs: RESUME_EVERY_MS, run: () => this.resume() },
      { name: 'batchFile.purge', everyMs: PURGE_EVERY_MS, run: () => purge.sweep() },
    ]);
  }

  onModuleInit(): void {
    this.schedule.start();
    this.worker = new Worker<BatchKey>(QUEUE, ({ data }) => this.runner.run(data, this.stop.signal), {
      ...WORKER_OPTIONS,
      connection: this.redis.connect('batches'),
      concurrency: BATCHES_AT_ONCE,
      // What is left of a batch is added anew.
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    this.worker.on('error', (error) => this.logger.warn(`worker: ${error.message}`));
    this.worker.on('failed', (job, error) => this.logger.warn({ batchId: job?.data.id, err: error }, 'a batch is tried again'));
  }

  /** Not waited for: who is not told now is told by the next look. Without effect while somebody runs it. */
  wake({ tenantId, id }: BatchKey): void {
    this.add({ tenantId, id }).catch((error: unknown) => this.logger.warn({ batchId: id, err: error }, 'a batch begins later'));
  }

  async resume(): Promise<void> {
    for (const key of await this.batches.open(BATCHES_PER_LOOK)) await this.add(key);
  }

  async onModuleDestroy(): Promise<void> {
    this.stop.abort();
    await this.schedule.close();
    await this.worker?.close();
    await this.queue.close();
  }

  private async add(key: BatchKey): Promise<void> {
    await this.queue.add('batch.run', key, { jobId: key.id });
  }
}
