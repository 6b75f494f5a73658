/**
 * Takes settlements off the queue, in every API process. Delivery is at least once; `SettlementService` makes it once.
 *
 * A settlement that can never be applied (not what the contract says, or of a generation that does not exist) is
 * failed at once and kept for a person to see. Everything else that goes wrong is taken for passing, whatever number
 * of attempts its sender allowed: it comes back after a while, and the others go on meanwhile.
 */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ArilError, SETTLEMENT_QUEUE, settlementSchema, type Settlement } from '@aril/contracts';
import { DelayedError, UnrecoverableError, Worker, type Job } from 'bullmq';
import { CONFIG, type Config } from '../../base/config/config.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { WORKER_OPTIONS } from '../../base/redis/worker-options.js';
import { SettlementMetrics } from './settlement-metrics.js';
import { SettlementService } from './settlement.service.js';

/** Well below the database's connections: callers' own requests come first. */
const CONCURRENCY = 8;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 30_000;
const KEPT_FAILURES_MAX = 10_000;

@Injectable()
export class SettlementWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(SettlementWorker.name);
  private worker: Worker<unknown> | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly redis: RedisService,
    private readonly settlements: SettlementService,
    private readonly metrics: SettlementMetrics,
  ) {}

  onModuleInit(): void {
    this.worker = new Worker<unknown>(SETTLEMENT_QUEUE, (job, token) => this.process(job, token), {
      ...WORKER_OPTIONS,
      connection: this.redis.connect('settlements'),
      concurrency: CONCURRENCY,
      // A settlement holds the output: it leaves Redis as soon as it is applied, and with the texts otherwise.
      removeOnComplete: { count: 0 },
      removeOnFail: { age: this.config.TEXT_RETENTION_S, count: KEPT_FAILURES_MAX },
    });
    this.worker.on('error', (error) => this.logger.warn(`settlement queue: ${error.message}`));
  }

  async onModuleDestroy(): Promise<void> {
    await this.worker?.close();
  }

  private async process(job: Job<unknown>, token: string | undefined): Promise<void> {
    const settlement = this.parse(job);
    const { generationId, tenantId } = settlement;
    try {
      const result = await this.settlements.apply(settlement);
      if (result === 'applied') this.metrics.applied(settlement);
      else this.metrics.note('already_settled');
      this.logger.debug({ generationId, tenantId, result }, 'settlement');
    } catch (error) {
      if (error instanceof ArilError && error.code === 'NOT_FOUND') this.giveUp(job, error.message);
      await this.postpone(job, token, error);
    }
  }

  private parse(job: Job<unknown>): Settlement {
    const parsed = settlementSchema.safeParse(job.data);
    if (parsed.success) return parsed.data;
    // Paths and expectations only: the values can hold a customer's text.
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return this.giveUp(job, `not a settlement: ${issues.join('; ')}`);
  }

  private giveUp(job: Job<unknown>, reason: string): never {
    this.metrics.note('refused');
    this.logger.error({ jobId: job.id, reason }, 'a settlement cannot be applied');
    throw new UnrecoverableError(reason);
  }

  private async postpone(job: Job<unknown>, token: string | undefined, error: unknown): Promise<never> {
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** Math.min(job.attemptsStarted, 10), RETRY_MS_MAX);
    this.metrics.note('postponed');
    this.logger.warn({ jobId: job.id, delayMs, err: error }, 'a settlement is tried again');
    await job.moveToDelayed(Date.now() + delayMs, token);
    throw new DelayedError();
  }
}
