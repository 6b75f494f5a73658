/** Looks for statements to issue. As with housekeeping, of any number of API processes one does it each time. */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { Queue, Worker } from 'bullmq';
import { RedisService } from '../../base/redis/redis.service.js';
import { Schedules } from '../../base/redis/schedules.js';
import { StatementIssuer } from './statement-issuer.js';

const QUEUE = 'api-statements';
const JOB_ISSUE = 'statement.issueDue';
const ISSUE_EVERY_MS = 3_600_000;

@Injectable()
export class StatementWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(StatementWorker.name);
  private readonly queue: Queue;
  private worker: Worker | null = null;

  constructor(
    private readonly redis: RedisService,
    private readonly schedules: Schedules,
    private readonly issuer: StatementIssuer,
  ) {
    this.queue = new Queue(QUEUE, { connection: redis.client, prefix: QUEUE_PREFIX });
    this.queue.on('error', (error) => this.logger.warn(`statement queue: ${error.message}`));
  }

  onModuleInit(): void {
    this.schedules.start({ queue: this.queue, job: JOB_ISSUE, everyMs: ISSUE_EVERY_MS });
    this.worker = new Worker(QUEUE, () => this.issuer.issueDue(), {
      connection: this.redis.connect('statements'),
      prefix: QUEUE_PREFIX,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 100 },
    });
    this.worker.on('error', (error) => this.logger.warn(`statement worker: ${error.message}`));
    this.worker.on('failed', (_job, error) => this.logger.error({ err: error }, 'statements could not be issued'));
  }

  async onModuleDestroy(): Promise<void> {
    await this.worker?.close();
    await this.queue.close();
  }
}
