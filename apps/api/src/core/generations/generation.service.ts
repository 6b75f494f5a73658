/** Starts, finds and cancels generations. Following one is `GenerationFollower`'s. */
import { Injectable, Logger } from '@nestjs/common';
import {
  ArilError,
  CANCEL_CHANNEL,
  generationCancelKey,
  generationFenceKey,
  STREAM_RETENTION_S,
  type EndEvent,
  type GenerationJob,
} from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { currentTrace } from '../../base/logging/trace.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { isUuid } from '../../base/uuid.js';
import { GenerationModel, isOpen, type GenerationKey, type GenerationRow } from '../../models/generation.model.js';
import { GenerationAdmission, type TellRates } from './generation-admission.js';
import { GenerationEnder } from './generation-ender.js';
import { GenerationMetrics } from './generation-metrics.js';
import { GenerationQueue } from './generation-queue.js';
import {
  checkAgainstContext,
  completeSampling,
  type FieldNames,
  type GenerationRequest,
} from './generation-request.js';
import { GenerationTargets, type GenerationTarget } from './generation-targets.js';
import { isVisibleTo, visibleTo } from './generation.policy.js';
import { OverdueService } from './overdue.service.js';

export interface AdmittedGeneration {
  row: GenerationRow;
  /** null: nothing is left to be done for it. */
  job: GenerationJob | null;
  /** false: an earlier try of the same request has left it. */
  isNew: boolean;
}

@Injectable()
export class GenerationService {
  private readonly logger = new Logger(GenerationService.name);

  constructor(
    private readonly db: TenantDatabase,
    private readonly redis: RedisService,
    private readonly generations: GenerationModel,
    private readonly targets: GenerationTargets,
    private readonly queue: GenerationQueue,
    private readonly ender: GenerationEnder,
    private readonly overdue: OverdueService,
    private readonly admission: GenerationAdmission,
    private readonly metrics: GenerationMetrics,
  ) {}

  /**
   * Its row first, its job second. An API that dies in between leaves a row without a job; a retry with the same
   * idempotency key adds the job then, and housekeeping fails the row if none comes.
   */
  async start(caller: Caller, request: GenerationRequest, names: FieldNames): Promise<GenerationRow> {
    const admitted = await this.admit(caller, request, names);
    await this.run(admitted);
    return admitted.row;
  }

  /**
   * The row alone: nothing happens before `run`. A retry is looked for before the target, whose adapter may have been
   * deleted since. `tell` hears how far the rates are used.
   */
  admit(caller: Caller, request: GenerationRequest, names: FieldNames, tell: TellRates = () => {}): Promise<AdmittedGeneration> {
    return this.metrics.refusals(() => this.tryAdmit(caller, request, names, tell));
  }

  private async tryAdmit(caller: Caller, request: GenerationRequest, names: FieldNames, tell: TellRates): Promise<AdmittedGeneration> {
    await this.queue.requireRedis();
    const earlier = await this.admission.findEarlier(caller, request, names);
    if (earlier) this.targets.requireNamed(caller, earlier, names.target);
    if (earlier) return { row: earlier, job: await this.lostJobOf(earlier, request, names), isNew: false };
    const target = await this.targets.resolve(caller, request, names.target);
    checkAgainstContext(request, target.contextTokens, names);
    const row = await this.admission.admit(caller, request, { target, names, tell });
    // Another request with the same key was first, and may have chosen another variant.
    if (!row) return this.tryAdmit(caller, request, names, tell);
    return { row, job: this.jobOf(row, request, target), isNew: true };
  }

  async run({ row, job, isNew }: AdmittedGeneration): Promise<void> {
    if (!job) return;
    await this.metrics.refusals(() => this.enqueue(row, job));
    if (isNew) this.metrics.noteAdmitted(row);
    this.logger.log({ generationId: row.id, tenantId: row.tenantId, baseModelId: row.baseModelId }, 'generation queued');
  }

  /** Instead of `run`, for a request of which something else was refused: it leaves no trace, and nothing reserved. */
  async takeBack({ row, isNew }: AdmittedGeneration): Promise<void> {
    if (isNew) await this.admission.takeBack(row);
  }

  /**
   * For a request that is answered with an error and will not be asked for again: it costs nothing, and what is still
   * done for it is stopped.
   */
  async disown(row: GenerationRow, error: NonNullable<EndEvent['error']>): Promise<void> {
    await this.ender.endUnheard(row, error);
    await this.tellToStop(row);
  }

  async find(caller: Caller, id: string): Promise<GenerationRow> {
    const row = isUuid(id) ? await this.db.inTenant(caller.tenantId, () => this.generations.find(id)) : null;
    return visibleTo(caller, row, id);
  }

  /** Of these, those that the caller may see, by id. */
  async findAll(caller: Caller, ids: readonly string[]): Promise<Map<string, GenerationRow>> {
    const possible = [...new Set(ids.filter(isUuid))];
    if (possible.length === 0) return new Map();
    const rows = await this.db.inTenant(caller.tenantId, () => this.generations.findAll(possible));
    return new Map(rows.filter((row) => isVisibleTo(caller, row)).map((row) => [row.id, row]));
  }

  /** null: none was admitted under it. */
  findByKey(tenantId: string, idempotencyKey: string): Promise<GenerationRow | null> {
    return this.db.inTenant(tenantId, () => this.generations.findByIdempotencyKey(idempotencyKey));
  }

  /** Whether a runner has taken an open generation is known to Redis only. */
  async withRunning(row: GenerationRow): Promise<GenerationRow> {
    return isOpen(row) && (await this.wasTaken(row)) ? { ...row, status: 'RUNNING' } : row;
  }

  /** A waiting generation is ended at once, a running one by its runner soon after; an ended one stays as it is. */
  async cancel(caller: Caller, id: string): Promise<GenerationRow> {
    const row = await this.find(caller, id);
    if (!isOpen(row)) return row;
    await this.stop(row);
    return this.find(caller, id);
  }

  /** The same for a caller who is not there to ask for it. */
  async abandon({ tenantId, id }: GenerationKey): Promise<void> {
    const row = await this.db.inTenant(tenantId, () => this.generations.find(id));
    if (row && isOpen(row)) await this.stop(row);
  }

  private async stop(row: GenerationRow): Promise<void> {
    if (await this.tellToStop(row)) await this.ender.end(row, { finishReason: 'cancelled', error: null });
  }

  /** True: no runner works on it now or will. */
  private async tellToStop(row: GenerationRow): Promise<boolean> {
    // The key first: a runner that takes the job from now on looks at it, one that has it hears the announcement.
    const ttlS = Math.ceil((this.overdue.deadlineOf(row) - Date.now()) / 1_000);
    await this.redis.client.set(generationCancelKey(row.id), '1', 'EX', Math.max(ttlS, 0) + STREAM_RETENTION_S);
    await this.redis.client.publish(CANCEL_CHANNEL, row.id);
    return this.queue.withdraw(row.baseModelId, row.id);
  }

  /** A Redis that hangs may have taken the job all the same, and run it when it is back. */
  private async enqueue(row: GenerationRow, job: GenerationJob): Promise<void> {
    try {
      await this.queue.add(job);
    } catch (cause) {
      const error = new ArilError('OVERLOADED', 'The queue does not answer at the moment. Try again later.', undefined, { cause });
      // With an idempotency key the caller asks again, and then finds this row and its job.
      if (row.idempotencyKey === null) {
        await this.ender.endUnheard(row, error);
        this.tellToStop(row).catch(() => {});
      }
      throw error;
    }
  }

  /** null: the generation has ended, or is on its way, and its target is not asked for: it may be gone by now. */
  private async lostJobOf(row: GenerationRow, request: GenerationRequest, names: FieldNames): Promise<GenerationJob | null> {
    if (!isOpen(row) || Date.now() >= this.overdue.deadlineOf(row)) return null;
    if ((await this.wasTaken(row)) || (await this.queue.isQueued(row.baseModelId, row.id))) return null;
    return this.jobOf(row, request, await this.targets.ofRow(row, names.target));
  }

  private async wasTaken(row: GenerationRow): Promise<boolean> {
    return (await this.redis.client.exists(generationFenceKey(row.id))) === 1;
  }

  private jobOf(row: GenerationRow, request: GenerationRequest, target: GenerationTarget): GenerationJob {
    const { input, n, logprobs, echo, constraint, prediction } = request;
    return {
      version: 1,
      generationId: row.id,
      tenantId: row.tenantId,
      baseModelId: target.baseModelId,
      adapter: target.adapter,
      input,
      sampling: completeSampling(request.sampling, row.id, target.contextTokens),
      n,
      logprobs,
      echo,
      constraint,
      prediction,
      background: row.deadlineAt !== null,
      enqueuedAtMs: Date.now(),
      deadlineMs: this.overdue.deadlineOf(row),
      trace: currentTrace(),
    };
  }
}
