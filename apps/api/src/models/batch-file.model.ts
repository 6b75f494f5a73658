import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { BatchFile, Prisma } from '../generated/prisma/client.js';
import { OPEN_BATCHES } from './batch.model.js';

export type BatchFileRow = BatchFile;

export interface BatchFileKey {
  tenantId: string;
  id: string;
}

export type NewBatchFile = Pick<BatchFileRow, 'apiKeyId' | 'purpose' | 'filename' | 'expiresAt'>;

/** Of a list: `purpose` and `apiKeyId` null: all. */
export interface BatchFileFilter {
  purpose: string | null;
  apiKeyId: string | null;
}

/** Rows of files. Those that are not there yet, or not any more, are not found. */
@Injectable()
export class BatchFileModel {
  constructor(private readonly db: TenantDatabase) {}

  find(id: string): Promise<BatchFileRow | null> {
    return this.db.tx.batchFile.findFirst({ where: { ...this.present(), id } });
  }

  /** Of one that is there, expired or not; 0: there is none. */
  async bytesOf(id: string): Promise<number> {
    const row = await this.db.tx.batchFile.findFirst({ where: { tenantId: this.db.tenantId, id, deletedAt: null }, select: { bytes: true } });
    return Number(row?.bytes ?? 0);
  }

  /** By creation; one row more than `limit` when there is another page. */
  page({ purpose, apiKeyId }: BatchFileFilter, order: 'asc' | 'desc', limit: number, after: BatchFileRow | null): Promise<BatchFileRow[]> {
    const filter = { ...(purpose !== null && { purpose }), ...(apiKeyId !== null && { apiKeyId }) };
    return this.db.tx.batchFile.findMany({
      where: { AND: [this.present(), filter, after ? beyond(after, order) : {}] },
      orderBy: [{ createdAt: order }, { id: order }],
      take: limit + 1,
    });
  }

  /** What counts against the quota. */
  async bytesUsed(): Promise<bigint> {
    const { _sum } = await this.db.tx.batchFile.aggregate({ where: this.present(), _sum: { bytes: true } });
    return _sum.bytes ?? 0n;
  }

  /** Before its bytes come, so that they are never without a row. */
  create(file: NewBatchFile): Promise<BatchFileRow> {
    return this.db.tx.batchFile.create({ data: { ...file, tenantId: this.db.tenantId } });
  }

  /** null: it was removed meanwhile. */
  async complete(id: string, data: Pick<BatchFileRow, 'bytes'> & Partial<Pick<BatchFileRow, 'purpose' | 'expiresAt'>>): Promise<BatchFileRow | null> {
    const where = { tenantId: this.db.tenantId, id, readyAt: null, deletedAt: null };
    const [row] = await this.db.tx.batchFile.updateManyAndReturn({ where, data: { ...data, readyAt: new Date() } });
    return row ?? null;
  }

  async remove(id: string): Promise<void> {
    await this.db.tx.batchFile.updateMany({ where: { tenantId: this.db.tenantId, id, deletedAt: null }, data: { deletedAt: new Date() } });
  }

  /** Whether an open batch reads it. */
  async isInput(id: string): Promise<boolean> {
    return (await this.db.tx.batch.count({ where: { tenantId: this.db.tenantId, inputFileId: id, status: { in: OPEN_BATCHES } } })) > 0;
  }

  /** Of every tenant: files that are deleted or expired, and those whose bytes have been coming since before `begun`. */
  unneeded(begun: Date, limit: number): Promise<BatchFileKey[]> {
    const or = [{ deletedAt: { not: null } }, { expiresAt: { lt: new Date() } }, { readyAt: null, createdAt: { lt: begun } }];
    return this.db.acrossTenants(() => this.db.tx.batchFile.findMany({ where: { OR: or }, orderBy: { expiresAt: 'asc' }, take: limit, select: { tenantId: true, id: true } }));
  }

  /** With its object gone. */
  async purge(id: string): Promise<void> {
    await this.db.tx.batchFile.deleteMany({ where: { tenantId: this.db.tenantId, id } });
  }

  private present(): Prisma.BatchFileWhereInput {
    return { tenantId: this.db.tenantId, readyAt: { not: null }, deletedAt: null, expiresAt: { gt: new Date() } };
  }
}

/** After a row in either order. */
export function beyond({ createdAt, id }: Pick<BatchFileRow, 'createdAt' | 'id'>, order: 'asc' | 'desc') {
  const later = order === 'asc' ? 'gt' : 'lt';
  return { OR: [{ createdAt: { [later]: createdAt } }, { createdAt, id: { [later]: id } }] };
}
