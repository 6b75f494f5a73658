/**
 * Rows of generations. A row's life: QUEUED, then once and for ever SUCCEEDED, FAILED or CANCELLED. RUNNING is never
 * stored: whether a runner has taken the job is Redis's knowledge and is added when a row is shown.
 */
import { Injectable } from '@nestjs/common';
import type { PredictionTokens, SettledChoice } from '@aril/contracts';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { FinishReason, Generation, GenerationStatus, Prisma } from '../generated/prisma/client.js';

export type GenerationRow = Omit<Generation, 'choices'> & {
  amountNanoUsd: bigint | null;
  choices: SettledChoice[] | null;
};

/** As it is; what it came to is not asked for. */
export type LockedGeneration = Generation;

export interface NewGeneration {
  userId: string | null;
  apiKeyId: string | null;
  baseModelId: string;
  adapterId: string | null;
  deploymentId: string | null;
  target: string;
  /** What the deployment chose; null: the target itself. */
  variant: string | null;
  priceId: string;
  idempotencyKey: string | null;
  requestHash: string;
  n: number;
  /** null: somebody waits for it. */
  deadlineAt: Date | null;
  createdAt: Date;
  /** The most it can cost. */
  reservedNanoUsd: bigint;
  /** Taken from the tokens per minute; 0: there is no such limit. */
  reservedTokens: number;
}

export interface GenerationEnd {
  status: Extract<GenerationStatus, 'SUCCEEDED' | 'FAILED' | 'CANCELLED'>;
  finishReason: FinishReason;
  text: string;
  /** null where there is one, whose text is above. */
  choices: SettledChoice[] | null;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  reasoningTokens: number;
  acceptedPredictionTokens: number | null;
  rejectedPredictionTokens: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  queueMs: number;
  ttftMs: number | null;
  totalMs: number;
  runnerId: string;
  finishedAt: Date;
}

export interface GenerationKey {
  tenantId: string;
  id: string;
}

const OPEN: GenerationStatus[] = ['QUEUED', 'RUNNING'];

export const isOpen = (row: Pick<Generation, 'status'>): boolean => OPEN.includes(row.status);

/** What answers: an adapter's slug or a base model's id. */
export const variantOf = ({ variant, target }: Pick<Generation, 'variant' | 'target'>): string => variant ?? target;

/** null: nothing was predicted, or it has not ended. */
export const predictionTokensOf = ({ acceptedPredictionTokens: accepted, rejectedPredictionTokens: rejected }: Pick<Generation, 'acceptedPredictionTokens' | 'rejectedPredictionTokens'>): PredictionTokens | null =>
  accepted === null ? null : { accepted, rejected: rejected ?? 0 };

/** The id of what was asked for. */
export const targetIdOf = ({ deploymentId, adapterId, baseModelId }: Pick<Generation, 'deploymentId' | 'adapterId' | 'baseModelId'>): string =>
  deploymentId ?? adapterId ?? baseModelId;

@Injectable()
export class GenerationModel {
  constructor(private readonly db: TenantDatabase) {}

  /** null: the tenant has used the idempotency key before; a concurrent use is waited for. */
  async insert(row: NewGeneration): Promise<GenerationRow | null> {
    const inserted = await this.db.tx.generation.createManyAndReturn({
      data: [{ ...row, tenantId: this.db.tenantId }],
      skipDuplicates: true,
    });
    return inserted[0] ? { ...inserted[0], amountNanoUsd: null, choices: null } : null;
  }

  find(id: string): Promise<GenerationRow | null> {
    return this.findWhere({ tenantId: this.db.tenantId, id });
  }

  /** Those that are there, in no order. */
  async findAll(ids: readonly string[]): Promise<GenerationRow[]> {
    const rows = await this.db.tx.generation.findMany({ where: { tenantId: this.db.tenantId, id: { in: [...ids] } }, include: COST });
    return rows.map(toRow);
  }

  findByIdempotencyKey(idempotencyKey: string): Promise<GenerationRow | null> {
    return this.findWhere({ tenantId: this.db.tenantId, idempotencyKey });
  }

  /** The row, which nobody else can change or lock until the transaction ends. */
  async lock(id: string): Promise<LockedGeneration | null> {
    const { tenantId } = this.db;
    await this.db.tx.$queryRaw`
      SELECT 1 FROM generations WHERE tenant_id = ${tenantId}::uuid AND id = ${id}::uuid FOR UPDATE`;
    return this.db.tx.generation.findFirst({ where: { tenantId, id } });
  }

  async end(id: string, end: GenerationEnd): Promise<void> {
    const data = { ...end, choices: end.choices ?? undefined };
    await this.db.tx.generation.update({ where: { tenantId_id: { tenantId: this.db.tenantId, id } }, data });
  }

  /** false: it has ended, and stays. */
  async removeOpen(id: string): Promise<boolean> {
    const { count } = await this.db.tx.generation.deleteMany({ where: { tenantId: this.db.tenantId, id, status: { in: OPEN } } });
    return count === 1;
  }

  /** Removes the texts of generations that ended before `time`, of lines of batches those that had time until then; at most `limit`. How many there were. */
  async purgeTexts(time: Date, limit: number): Promise<number> {
    return this.db.tx.$executeRaw`
      UPDATE generations SET text = NULL, choices = NULL
      WHERE tenant_id = ${this.db.tenantId}::uuid AND id IN (
        SELECT id FROM generations
        WHERE tenant_id = ${this.db.tenantId}::uuid AND text IS NOT NULL AND finished_at < ${time} AND (deadline_at IS NULL OR deadline_at < ${time})
        LIMIT ${limit})`;
  }

  /** Of every tenant: open generations created before `time`, oldest first, those that nobody waits for last. */
  openBefore(time: Date, limit: number): Promise<GenerationKey[]> {
    return this.db.acrossTenants(() =>
      this.db.tx.generation.findMany({
        where: { status: { in: OPEN }, createdAt: { lt: time } },
        orderBy: [{ deadlineAt: { sort: 'asc', nulls: 'first' } }, { createdAt: 'asc' }],
        take: limit,
        select: { tenantId: true, id: true },
      }),
    );
  }

  /** Tenants that have texts of generations that ended before `time`. */
  async tenantsWithTextsBefore(time: Date): Promise<string[]> {
    const rows = await this.db.acrossTenants(() =>
      this.db.tx.generation.findMany({
        where: { text: { not: null }, finishedAt: { lt: time }, OR: [{ deadlineAt: null }, { deadlineAt: { lt: time } }] },
        distinct: ['tenantId'],
        select: { tenantId: true },
      }),
    );
    return rows.map((row) => row.tenantId);
  }

  private async findWhere(where: { tenantId: string; id?: string; idempotencyKey?: string }): Promise<GenerationRow | null> {
    const row = await this.db.tx.generation.findFirst({ where, include: COST });
    return row && toRow(row);
  }
}

const COST = { ledgerEntry: { select: { amountNanoUsd: true } } } as const;

type Costed = Prisma.GenerationGetPayload<{ include: typeof COST }>;

function toRow({ ledgerEntry, choices, ...generation }: Costed): GenerationRow {
  // Only settlements write it, checked against the contract.
  return { ...generation, choices: choices as SettledChoice[] | null, amountNanoUsd: ledgerEntry?.amountNanoUsd ?? null };
}
