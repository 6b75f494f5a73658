/**
 * What has to be done every now and then. The schedule is a BullMQ queue of the API's own, so that of any number of API
 * processes one does it each time. A Redis that comes back without its data has lost it: every process looks for it now
 * and then.
 */
import { Logger } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { Queue, Worker } from 'bullmq';
import type { RedisService } from './redis.service.js';
import { WORKER_OPTIONS } from './worker-options.js';

export interface Chore {
  /** As jobs are named: `namespace.verbNoun`. */
  name: string;
  everyMs: number;
  run: () => Promise<unknown>;
}

/** Far less than what waits for a lost schedule may wait. */
const LOOK_EVERY_MS = 60_000;

export class Schedule {
  private readonly logger: Logger;
  private readonly queueName: string;
  private readonly queue: Queue;
  private worker: Worker | null = null;
  private timer: NodeJS.Timeout | undefined;

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
    for (const chore of this.chores) void this.trying(() => this.write(chore));
    this.timer = setInterval(() => void this.keep(), LOOK_EVERY_MS).unref();
    this.worker = new Worker(this.queueName, ({ name }) => this.chores.find((chore) => chore.name === name)?.run() ?? Promise.resolve(), {
      ...WORKER_OPTIONS,
      connection: this.redis.connect(this.name),
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 100 },
    });
    this.worker.on('error', (error) => this.logger.warn(`worker: ${error.message}`));
    this.worker.on('failed', (job, error) => this.logger.error({ job: job?.name, err: error }, 'failed'));
  }

  /** Writes what is gone. */
  async keep(): Promise<void> {
    for (const chore of this.chores) {
      await this.trying(async () => {
        if (await this.queue.getJobScheduler(chore.name)) return;
        this.logger.warn({ job: chore.name }, 'the schedule was gone');
        await this.write(chore);
      });
    }
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.worker?.close();
    await this.queue.close();
  }

  private write({ name, everyMs }: Chore): Promise<unknown> {
    return this.queue.upsertJobScheduler(name, { every: everyMs }, { name });
  }

  private async trying(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.error({ err: error }, 'could not be scheduled');
    }
  }
}
