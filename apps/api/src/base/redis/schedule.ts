/**
 * What has to be done every now and then. The schedule is a BullMQ queue of the API's own, so that of any number of API
 * processes one does it each time.
 */
import { Logger } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { Queue, Worker } from 'bullmq';
import type { RedisService } from './redis.service.js';

interface Chore {
  /** As jobs are named: `namespace.verbNoun`. */
  name: string;
  everyMs: number;
  run: () => Promise<unknown>;
}

export class Schedule {
  private readonly logger: Logger;
  private readonly queueName: string;
  private readonly queue: Queue;
  private worker: Worker | null = null;

  constructor(
    private readonly name: string,
    private readonly redis: RedisService,
    private readonly chores: readonly Chore[],
  ) {
    this.logger = new Logger(`Schedule ${name}`);
    this.queueName = `api-${name}`;
    this.queue = new Queue(this.queueName, { connection: redis.client, prefix: QUEUE_PREFIX });
    this.queue.on('error', (error) => this.logger.warn(`queue: ${error.message}`));
  }

  /** Not awaited: an API that starts before Redis waits for it in `/ready`, not here. */
  start(): void {
    for (const { name, everyMs } of this.chores) {
      const scheduled = this.queue.upsertJobScheduler(name, { every: everyMs }, { name });
      scheduled.catch((error: unknown) => this.logger.error({ job: name, err: error }, 'could not be scheduled'));
    }
    this.worker = new Worker(this.queueName, ({ name }) => this.chores.find((chore) => chore.name === name)?.run() ?? Promise.resolve(), {
      connection: this.redis.connect(this.name),
      prefix: QUEUE_PREFIX,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 100 },
    });
    this.worker.on('error', (error) => this.logger.warn(`worker: ${error.message}`));
    this.worker.on('failed', (job, error) => this.logger.error({ job: job?.name, err: error }, 'failed'));
  }

  async close(): Promise<void> {
    await this.worker?.close();
    await this.queue.close();
  }
}
