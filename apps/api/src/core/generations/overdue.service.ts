/**
 * Finds generations that should have ended and have not, and ends them, so that nobody waits for ever and no row stays
 * open. Every way in which an end can get lost between processes comes to rest here.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { generationFenceKey, type ErrorCode } from '@aril/contracts';
import { CONFIG, type Config } from '../../base/config/config.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { RedisMemory, RESTORED_WITHIN_MS } from '../../base/redis/redis-memory.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { GenerationModel, isOpen, type GenerationKey, type GenerationRow } from '../../models/generation.model.js';
import { GenerationEnder } from './generation-ender.js';
import { GenerationMetrics } from './generation-metrics.js';
import { GenerationQueue } from './generation-queue.js';

/**
 * A row this old without a job has lost it: the API died between writing the row and adding the job. The prompt was only
 * in the job, so the generation cannot be run any more; only a retry of the caller with the same idempotency key, before
 * this, could bring it back. A Redis that has lost its data is known to, and nobody is kept waiting for so long.
 */
export const LOST_AFTER_MS = 60_000;
const ROWS_PER_SWEEP = 500;

@Injectable()
export class OverdueService {
  private readonly logger = new Logger(OverdueService.name);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly redis: RedisService,
    private readonly memory: RedisMemory,
    private readonly generations: GenerationModel,
    private readonly queue: GenerationQueue,
    private readonly ender: GenerationEnder,
    private readonly metrics: GenerationMetrics,
  ) {}

  deadlineOf({ createdAt, deadlineAt }: Pick<GenerationRow, 'createdAt' | 'deadlineAt'>): number {
    return deadlineAt?.getTime() ?? createdAt.getTime() + this.config.GENERATION_TIMEOUT_S * 1_000;
  }

  /** `now` in milliseconds since the epoch. */
  async sweep(now = Date.now()): Promise<void> {
    const forgetful = now < (await this.memory.since()) + LOST_AFTER_MS;
    const oldestMs = Math.min(forgetful ? RESTORED_WITHIN_MS : LOST_AFTER_MS, this.config.GENERATION_TIMEOUT_S * 1_000);
    for (const key of await this.generations.openBefore(new Date(now - oldestMs), ROWS_PER_SWEEP)) {
      try {
        await this.check(key, now);
      } catch (error) {
        this.logger.error({ generationId: key.id, err: error }, 'an overdue generation could not be checked');
      }
    }
  }

  /** Ends one generation if it is overdue or lost; does nothing to one that may still end by itself. */
  async check({ tenantId, id }: GenerationKey, now = Date.now()): Promise<void> {
    const row = await this.db.inTenant(tenantId, () => this.generations.find(id));
    if (!row || !isOpen(row) || (await this.queue.isSettlementPending(id))) return;
    if (await this.ender.settleReported(row)) return;
    const reason = await this.whyEnd(row, now);
    if (reason && (await this.queue.withdraw(row.baseModelId, id))) await this.fail(row, ...reason);
  }

  private async whyEnd(row: GenerationRow, now: number): Promise<[ErrorCode, string] | null> {
    if (now >= this.deadlineOf(row)) {
      const timeMs = this.deadlineOf(row) - row.createdAt.getTime();
      return ['TIMED_OUT', `The generation did not end within ${Math.round(timeMs / 1_000)} seconds.`];
    }
    if (await this.queue.hasFailed(row.baseModelId, row.id)) return ['INTERNAL', 'The generation could not be run.'];
    if (now < (await this.lostFrom(row)) || (await this.queue.isQueued(row.baseModelId, row.id))) return null;
    const taken = await this.redis.client.exists(generationFenceKey(row.id));
    return taken
      ? ['RUNNER_LOST', 'The generation was lost while it was run.']
      : ['OVERLOADED', 'The generation was lost before it was run. Ask again.'];
  }

  /** From when on it is lost if it has no job. */
  private async lostFrom(row: GenerationRow): Promise<number> {
    const createdAt = row.createdAt.getTime();
    const since = await this.memory.since();
    return createdAt < since ? since + RESTORED_WITHIN_MS : createdAt + LOST_AFTER_MS;
  }

  private async fail(row: GenerationRow, code: ErrorCode, message: string): Promise<void> {
    const ended = await this.ender.end(row, { finishReason: 'error', error: { code, message } });
    if (!ended) return;
    this.metrics.noteSwept(code);
    this.logger.warn({ generationId: row.id, tenantId: row.tenantId, code }, 'ended an overdue generation');
  }
}
