/**
 * Rows of batches and of the lines of those that run. Whoever changes a row says in which state he found it: several
 * processes may think that a batch is theirs, and then all but one find that nothing is left to be changed.
 */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { Batch, BatchLine, BatchStatus, Prisma } from '../generated/prisma/client.js';
import { olderThan } from './filters.js';
import type { Position } from '../base/graphql/connection.js';

/** What is wrong with an input file; `line` null: with the whole of it. */
export interface BatchProblem {
  code: string;
  message: string;
  line: number | null;
  param: string | null;
}

export type BatchRow = Omit<Batch, 'problems' | 'metadata'> & { problems: BatchProblem[] | null; metadata: Record<string, string> | null };
export type { BatchStatus };
export type BatchLineRow = BatchLine;

export interface BatchKey {
  tenantId: string;
  id: string;
}

export type NewBatch = Pick<BatchRow, 'userId' | 'apiKeyId' | 'endpoint' | 'inputFileId' | 'metadata' | 'expiresAt'>;
export type NewLine = Pick<BatchLineRow, 'position' | 'start' | 'bytes'>;
export type Fed = Pick<BatchRow, 'fedLines' | 'fedBytes'>;

/** What is still to be done for them. */
export const OPEN_BATCHES: BatchStatus[] = ['VALIDATING', 'IN_PROGRESS', 'FINALIZING', 'CANCELLING'];

@Injectable()
export class BatchModel {
  constructor(private readonly db: TenantDatabase) {}

  async find(id: string): Promise<BatchRow | null> {
    return asRow(await this.db.tx.batch.findFirst({ where: { tenantId: this.db.tenantId, id } }));
  }

  /** Newest first; one row more than `first` when there is another page. `apiKeyId` null: of all. */
  async page(apiKeyId: string | null, first: number, after: Position | null): Promise<BatchRow[]> {
    const rows = await this.db.tx.batch.findMany({
      where: { AND: [this.of(apiKeyId), olderThan(after)] },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: first + 1,
    });
    return rows.map((row) => asRow(row));
  }

  count(apiKeyId: string | null): Promise<number> {
    return this.db.tx.batch.count({ where: this.of(apiKeyId) });
  }

  countIn(statuses: BatchStatus[]): Promise<number> {
    return this.db.tx.batch.count({ where: { tenantId: this.db.tenantId, status: { in: statuses } } });
  }

  async create({ metadata, ...batch }: NewBatch): Promise<BatchRow> {
    return asRow(await this.db.tx.batch.create({ data: { ...batch, metadata: metadata ?? undefined, tenantId: this.db.tenantId } }));
  }

  /** null: it is in none of those states. */
  async change(id: string, from: BatchStatus[], data: Prisma.BatchUpdateManyMutationInput): Promise<BatchRow | null> {
    const [row] = await this.db.tx.batch.updateManyAndReturn({ where: { tenantId: this.db.tenantId, id, status: { in: from } }, data });
    return row ? asRow(row) : null;
  }

  /** Of every tenant. */
  open(limit: number): Promise<BatchKey[]> {
    const where = { status: { in: OPEN_BATCHES } };
    return this.db.acrossTenants(() => this.db.tx.batch.findMany({ where, orderBy: { createdAt: 'asc' }, take: limit, select: { tenantId: true, id: true } }));
  }

  /** false: it is not in progress, or its input was not fed up to `from`. */
  async begin(id: string, from: number, fed: Fed, lines: readonly NewLine[]): Promise<boolean> {
    const { tenantId } = this.db;
    const { count } = await this.db.tx.batch.updateMany({ where: { tenantId, id, status: 'IN_PROGRESS', fedLines: from }, data: fed });
    if (count === 0) return false;
    await this.db.tx.batchLine.createMany({ data: lines.map((line) => ({ ...line, tenantId, batchId: id })) });
    return true;
  }

  /** Lines that were begun and have no result yet. */
  unanswered(batchId: string): Promise<BatchLineRow[]> {
    return this.db.tx.batchLine.findMany({ where: { tenantId: this.db.tenantId, batchId, result: null }, orderBy: { position: 'asc' } });
  }

  /** Once: a line that has its result keeps it. */
  async answer(batchId: string, position: number, line: { result: string; failed: boolean }): Promise<void> {
    const { tenantId } = this.db;
    const { count } = await this.db.tx.batchLine.updateMany({ where: { tenantId, batchId, position, result: null }, data: line });
    if (count === 0) return;
    const data = line.failed ? { failed: { increment: 1 } } : { completed: { increment: 1 } };
    await this.db.tx.batch.updateMany({ where: { tenantId, id: batchId }, data });
  }

  /** In the order of the input, after `position`. */
  results(batchId: string, failed: boolean, position: number, limit: number): Promise<BatchLineRow[]> {
    return this.db.tx.batchLine.findMany({
      where: { tenantId: this.db.tenantId, batchId, failed, position: { gt: position } },
      orderBy: { position: 'asc' },
      take: limit,
    });
  }

  async removeLines(batchId: string): Promise<void> {
    await this.db.tx.batchLine.deleteMany({ where: { tenantId: this.db.tenantId, batchId } });
  }

  private of(apiKeyId: string | null): Prisma.BatchWhereInput {
    return { tenantId: this.db.tenantId, ...(apiKeyId !== null && { apiKeyId }) };
  }
}

/** What the API has written there itself. */
function asRow(row: Batch): BatchRow;
function asRow(row: Batch | null): BatchRow | null;
function asRow(row: Batch | null): BatchRow | null {
  return row as BatchRow | null;
}
