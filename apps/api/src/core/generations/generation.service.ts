/** Starts, finds and cancels generations. Following one is `GenerationFollower`'s. */
import { Injectable } from '@nestjs/common';
import {
  ArilError,
  CANCEL_CHANNEL,
  generationCancelKey,
  generationFenceKey,
  STREAM_RETENTION_S,
  type EndEvent,
  type ErrorCode,
  type GenerationJob,
} from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { GenerationModel, isOpen, type GenerationRow, type NewGeneration } from '../../models/generation.model.js';
import { AdmissionService, type Admission } from '../limits/admission.service.js';
import { RateLimiter, type RateStatus } from '../limits/rate-limiter.js';
import { GenerationEnder } from './generation-ender.js';
import { GenerationQueue } from './generation-queue.js';
import {
  checkAgainstContext,
  completeSampling,
  requestHash,
  type FieldNames,
  type GenerationRequest,
} from './generation-request.js';
import { GenerationTargets, type GenerationTarget } from './generation-targets.js';
import { visibleTo } from './generation.policy.js';
import { OverdueService } from './overdue.service.js';
import { worstCase } from './worst-case.js';

export type TellRates = (rates: RateStatus[]) => void;

interface Door {
  target: GenerationTarget;
  names: FieldNames;
  tell: TellRates;
}

/** With these the admission refuses; no generation ends with one by itself. */
const REFUSALS: readonly ErrorCode[] = ['RATE_LIMITED', 'BUDGET_EXCEEDED'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

@Injectable()
export class GenerationService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly redis: RedisService,
    private readonly generations: GenerationModel,
    private readonly targets: GenerationTargets,
    private readonly queue: GenerationQueue,
    private readonly ender: GenerationEnder,
    private readonly overdue: OverdueService,
    private readonly admission: AdmissionService,
    private readonly rates: RateLimiter,
  ) {}

  /**
   * Admits a request: its row first, its job second. An API that dies in between leaves a row without a job; a retry
   * with the same idempotency key adds the job then, and housekeeping fails the row if none comes. The retry is
   * looked for before the target, whose adapter may have been deleted since. `tell` hears how far the rates are used.
   */
  async start(caller: Caller, request: GenerationRequest, names: FieldNames, tell: TellRates = () => {}): Promise<GenerationRow> {
    await this.queue.requireRedis();
    const earlier = await this.findEarlier(caller, request, names);
    if (earlier && !isOpen(earlier)) return earlier;
    const target = await this.targets.resolve(caller.tenantId, request.target, names.target);
    checkAgainstContext(request, target.contextTokens, names);
    const row = earlier ?? (await this.admit(caller, request, { target, names, tell }));
    if (!earlier || !(await this.wasTaken(row))) await this.enqueue(row, this.jobOf(row, request, target));
    return row;
  }

  /**
   * For a request that is answered with an error and will not be asked for again: it costs nothing, and what is still
   * done for it is stopped.
   */
  async disown(row: GenerationRow, error: NonNullable<EndEvent['error']>): Promise<void> {
    await this.ender.endUnheard(row, error);
    // One of several prompts, of which another was refused: none of them was let in. Its tokens are back already.
    if (REFUSALS.includes(error.code)) this.rates.giveBack(row, 0);
    await this.tellToStop(row);
  }

  async find(caller: Caller, id: string): Promise<GenerationRow> {
    const row = UUID.test(id) ? await this.db.inTenant(caller.tenantId, () => this.generations.find(id)) : null;
    return visibleTo(caller, row, id);
  }

  /** Whether a runner has taken an open generation is known to Redis only. */
  async withRunning(row: GenerationRow): Promise<GenerationRow> {
    return isOpen(row) && (await this.wasTaken(row)) ? { ...row, status: 'RUNNING' } : row;
  }

  /** A waiting generation is ended at once, a running one by its runner soon after; an ended one stays as it is. */
  async cancel(caller: Caller, id: string): Promise<GenerationRow> {
    const row = await this.find(caller, id);
    if (!isOpen(row)) return row;
    if (await this.tellToStop(row)) await this.ender.end(row, { finishReason: 'cancelled', error: null });
    return this.find(caller, id);
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

  private async findEarlier(caller: Caller, request: GenerationRequest, names: FieldNames): Promise<GenerationRow | null> {
    const { idempotencyKey } = request;
    if (idempotencyKey === null) return null;
    const row = await this.db.inTenant(caller.tenantId, () => this.generations.findByIdempotencyKey(idempotencyKey));
    return row && sameRequest(row, request, names.idempotencyKey);
  }

  /** One that was admitted under the same key meanwhile is the answer, also where there is no room for another. */
  private async admit(caller: Caller, request: GenerationRequest, door: Door): Promise<GenerationRow> {
    const { target, names, tell } = door;
    const application = {
      tenantId: caller.tenantId,
      apiKeyId: caller.apiKeyId,
      choices: request.n,
      ...worstCase(request, target.contextTokens, target.price),
      maxTokensName: names.maxTokens,
    };
    const write = (admission: Admission) => this.generations.insert(newRow(caller, request, target, admission));
    try {
      const inserted = await this.admission.admit(application, write, tell);
      if (inserted) return inserted;
      throw new Error('a generation was neither inserted nor there before');
    } catch (error) {
      const earlier = await this.findEarlier(caller, request, names);
      if (earlier) return earlier;
      throw error;
    }
  }

  private async wasTaken(row: GenerationRow): Promise<boolean> {
    return (await this.redis.client.exists(generationFenceKey(row.id))) === 1;
  }

  private jobOf(row: GenerationRow, request: GenerationRequest, target: GenerationTarget): GenerationJob {
    const { input, n, logprobs, echo, constraint } = request;
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
      enqueuedAtMs: Date.now(),
      deadlineMs: this.overdue.deadlineOf(row),
    };
  }
}

function newRow(caller: Caller, request: GenerationRequest, target: GenerationTarget, admission: Admission): NewGeneration {
  return {
    userId: caller.userId,
    apiKeyId: caller.apiKeyId,
    baseModelId: target.baseModelId,
    adapterId: target.adapterId,
    target: request.target,
    priceId: target.priceId,
    idempotencyKey: request.idempotencyKey,
    requestHash: requestHash(request),
    n: request.n,
    ...admission,
  };
}

function sameRequest(row: GenerationRow, request: GenerationRequest, field: string): GenerationRow {
  if (row.requestHash === requestHash(request)) return row;
  throw new ArilError(
    'IDEMPOTENCY_MISMATCH',
    `${field}: it was used for generation ${row.id} with a different input`,
    field,
  );
}
