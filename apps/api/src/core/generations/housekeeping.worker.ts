/**
 * What has to be done every now and then for all tenants. The schedule is a BullMQ queue of the API's own, so that of
 * any number of API processes one does it each time.
 */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { Queue, Worker, type Job } from 'bullmq';
import { CONFIG, type Config } from '../../base/config/config.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { Schedules } from '../../base/redis/schedules.js';
import { AttendanceService } from './attendance.service.js';
import { OverdueService } from './overdue.service.js';
import { TextRetentionService } from './text-retention.service.js';

const QUEUE = 'api-housekeeping';
const JOB_SWEEP = 'generation.endOverdue';
const JOB_PURGE = 'generation.purgeTexts';
const SWEEP_EVERY_MS = 15_000;
const PURGE_EVERY_MS_MAX = 600_000;

@Injectable()
export class HousekeepingWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(HousekeepingWorker.name);
  private readonly queue: Queue;
  private worker: Worker | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly redis: RedisService,
    private readonly schedules: Schedules,
    private readonly overdue: OverdueService,
    private readonly attendance: AttendanceService,
    private readonly texts: TextRetentionService,
  ) {
    this.queue = new Queue(QUEUE, { connection: redis.client, prefix: QUEUE_PREFIX });
    this.queue.on('error', (error) => this.logger.warn(`housekeeping queue: ${error.message}`));
  }

  onModuleInit(): void {
    const purgeEveryMs = Math.min(PURGE_EVERY_MS_MAX, this.config.TEXT_RETENTION_S * 1_000);
    this.schedules.start({ queue: this.queue, job: JOB_SWEEP, everyMs: SWEEP_EVERY_MS });
    this.schedules.start({ queue: this.queue, job: JOB_PURGE, everyMs: purgeEveryMs });
    this.worker = new Worker(QUEUE, (job) => this.process(job), {
      connection: this.redis.connect('housekeeping'),
      prefix: QUEUE_PREFIX,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 100 },
    });
    this.worker.on('error', (error) => this.logger.warn(`housekeeping worker: ${error.message}`));
    this.worker.on('failed', (job, error) => this.logger.error({ job: job?.name, err: error }, 'housekeeping failed'));
  }

  async onModuleDestroy(): Promise<void> {
    await this.worker?.close();
    await this.queue.close();
  }

  private async process(job: Job): Promise<void> {
    if (job.name === JOB_SWEEP) await Promise.all([this.overdue.sweep(), this.attendance.sweep()]);
    else if (job.name === JOB_PURGE) await this.texts.purge();
  }
}
