/** The admission of one request: its worst case, its row, and the row that an earlier try of it has left. */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { GenerationModel, type GenerationRow, type NewGeneration } from '../../models/generation.model.js';
import { AdmissionService, type Admission } from '../limits/admission.service.js';
import { RateLimiter, type RateStatus } from '../limits/rate-limiter.js';
import { requestHash, type FieldNames, type GenerationRequest } from './generation-request.js';
import type { GenerationTarget } from './generation-targets.js';
import { worstCase } from './worst-case.js';

export type TellRates = (rates: RateStatus[]) => void;

interface Door {
  target: GenerationTarget;
  names: FieldNames;
  tell: TellRates;
}

@Injectable()
export class GenerationAdmission {
  constructor(
    private readonly db: TenantDatabase,
    private readonly generations: GenerationModel,
    private readonly admission: AdmissionService,
    private readonly rates: RateLimiter,
  ) {}

  /** null: none, or no idempotency key to know it by. */
  async findEarlier(caller: Caller, request: GenerationRequest, names: FieldNames): Promise<GenerationRow | null> {
    const { idempotencyKey } = request;
    if (idempotencyKey === null) return null;
    const row = await this.db.inTenant(caller.tenantId, () => this.generations.findByIdempotencyKey(idempotencyKey));
    return row && sameRequest(row, request, names.idempotencyKey);
  }

  /** null: another was admitted under the same key meanwhile. It is the answer, also where there is no room for another. */
  async admit(caller: Caller, request: GenerationRequest, door: Door): Promise<GenerationRow | null> {
    const { target, names, tell } = door;
    const application = {
      tenantId: caller.tenantId,
      apiKeyId: caller.apiKeyId,
      choices: request.n,
      background: request.deadlineAt !== undefined,
      ...worstCase(request, target.contextTokens, target.price),
      maxTokensName: names.maxTokens,
    };
    const write = (admission: Admission) => this.generations.insert(newRow(caller, request, target, admission));
    try {
      return await this.admission.admit(application, write, tell);
    } catch (error) {
      if (await this.findEarlier(caller, request, names)) return null;
      throw error;
    }
  }

  /** For a row that nothing was done for. One of several prompts, of which another was refused, was not let in either. */
  async takeBack(row: GenerationRow): Promise<void> {
    const removed = await this.db.inTenant(row.tenantId, () => this.generations.removeOpen(row.id));
    if (removed && row.deadlineAt === null) this.rates.giveBack(row, row.reservedTokens);
  }
}

function newRow(caller: Caller, request: GenerationRequest, target: GenerationTarget, admission: Admission): NewGeneration {
  return {
    userId: caller.userId,
    apiKeyId: caller.apiKeyId,
    baseModelId: target.baseModelId,
    adapterId: target.adapterId,
    deploymentId: target.deploymentId,
    target: request.target,
    variant: target.variant,
    priceId: target.priceId,
    idempotencyKey: request.idempotencyKey,
    requestHash: requestHash(request),
    n: request.n,
    deadlineAt: request.deadlineAt ?? null,
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
