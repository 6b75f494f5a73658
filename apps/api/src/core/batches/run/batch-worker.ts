/** Which API process runs which batch. */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { RedisService } from '../../../base/redis/redis.service.js';
import { RowQueue, type RowQueueOptions } from '../../../base/redis/row-queue.js';
import { Schedules } from '../../../base/redis/schedules.js';
import { BatchModel, type BatchKey } from '../../../models/batch.model.js';
import { BatchFilePurge } from '../files/batch-file-purge.js';
import { BatchRunner } from './batch-runner.js';

const LOOK_EVERY_MS = 5_000;
const PURGE_EVERY_MS = 60_000;
/** What one process runs at once; how much of a batch is under way is bounded by its tenant. */
const BATCHES_AT_ONCE = 500;
const BATCHES_PER_LOOK = 10_000;

@Injectable()
export class BatchWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(BatchWorker.name);
  private readonly queue: RowQueue<BatchKey>;

  constructor(
    redis: RedisService,
    schedules: Schedules,
    batches: BatchModel,
    private readonly runner: BatchRunner,
    purge: BatchFilePurge,
  ) {
    const options: RowQueueOptions<BatchKey> = {
      name: 'batches',
      job: 'batch.run',
      concurrency: BATCHES_AT_ONCE,
      look: { name: 'batch.resumeOpen', everyMs: LOOK_EVERY_MS, open: () => batches.open(BATCHES_PER_LOOK) },
      chores: [{ name: 'batchFile.purge', everyMs: PURGE_EVERY_MS, run: () => purge.sweep() }],
    };
    this.queue = new RowQueue(redis, schedules, options, this.logger);
  }

  onModuleInit(): void {
    this.queue.start(async (key, ending) => {
      await this.runner.run(key, ending);
      return null;
    });
  }

  /** Not waited for: who is not told now is told by the next look. Without effect while somebody runs it. */
  wake({ tenantId, id }: BatchKey): void {
    this.queue.add({ tenantId, id }).catch((error: unknown) => this.logger.warn({ batchId: id, err: error }, 'a batch begins later'));
  }

  resume(): Promise<void> {
    return this.queue.resume();
  }

  onModuleDestroy(): Promise<void> {
    return this.queue.close();
  }
}
