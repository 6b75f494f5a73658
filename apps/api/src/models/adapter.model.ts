import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { Adapter, AdapterFile, AdapterStatus, Prisma } from '../generated/prisma/client.js';
import { among, named } from './filters.js';

export type AdapterRow = Adapter & { files: AdapterFile[] };
export type { AdapterFile as AdapterFileRow, AdapterStatus };

export interface AdapterKey {
  tenantId: string;
  id: string;
}

/** Where an import's files come from. */
export type NewSource = { [K in 'sourceRepository' | 'sourceRevision' | 'sourcePath']: string };

export interface AdapterFilter {
  status?: AdapterStatus | null;
  search?: string | null;
  /** null: all. */
  ids?: readonly string[] | null;
}

/** Nulls come last either way; rows of one value are ordered by id, the same way. */
export interface AdapterOrder {
  field: 'name' | 'createdAt' | 'lastUsedAt';
  direction: 'asc' | 'desc';
}

/** Where a page begins: just after the row with this value of the order's field and this id. */
export interface AdapterPosition {
  value: string | Date | null;
  id: string;
}

const WITH_FILES = { files: { orderBy: { name: 'asc' } } } as const;

/** Adapters and their files. Deleted ones stay as rows, for the ledger's sake, and are not found here. */
@Injectable()
export class AdapterModel {
  constructor(private readonly database: TenantDatabase) {}

  find(id: string): Promise<AdapterRow | null> {
    return this.database.tx.adapter.findFirst({
      where: { tenantId: this.database.tenantId, id, deletedAt: null },
      include: WITH_FILES,
    });
  }

  /** Deleted or not. */
  findEver(id: string): Promise<AdapterRow | null> {
    return this.database.tx.adapter.findFirst({ where: { tenantId: this.database.tenantId, id }, include: WITH_FILES });
  }

  findBySlug(slug: string): Promise<AdapterRow | null> {
    return this.database.tx.adapter.findFirst({
      where: { tenantId: this.database.tenantId, slug, deletedAt: null },
      include: WITH_FILES,
    });
  }

  /** One row more than `first` when there is another page. */
  page(filter: AdapterFilter, order: AdapterOrder, first: number, after: AdapterPosition | null): Promise<AdapterRow[]> {
    const { field, direction } = order;
    return this.database.tx.adapter.findMany({
      where: { AND: [this.matching(filter), after ? laterThan(order, after) : {}] },
      include: WITH_FILES,
      orderBy: [{ [field]: field === 'lastUsedAt' ? { sort: direction, nulls: 'last' } : direction }, { id: direction }],
      take: first + 1,
    });
  }

  count(filter: AdapterFilter): Promise<number> {
    return this.database.tx.adapter.count({ where: this.matching(filter) });
  }

  all(status: AdapterStatus): Promise<AdapterRow[]> {
    return this.database.tx.adapter.findMany({ where: this.matching({ status }), include: WITH_FILES });
  }

  /** Of the whole tenant, deleted ones too. */
  names(): Promise<Pick<Adapter, 'id' | 'slug' | 'deletedAt'>[]> {
    return this.database.tx.adapter.findMany({ where: { tenantId: this.database.tenantId }, select: { id: true, slug: true, deletedAt: true } });
  }

  /** What counts against the quota: everything live, unfinished uploads with the size they announced. */
  async bytesUsed(): Promise<bigint> {
    const { _sum } = await this.database.tx.adapter.aggregate({
      where: { ...this.matching({}), status: { not: 'REFUSED' } },
      _sum: { bytes: true },
    });
    return _sum.bytes ?? 0n;
  }

  create(
    adapter: { slug: string; name: string; description: string; baseModelId: string; bytes: bigint } & Partial<NewSource>,
    files: { name: string; bytes: bigint }[],
  ): Promise<AdapterRow> {
    const { tenantId } = this.database;
    return this.database.tx.adapter.create({
      // The composite relation fills the files' tenant from the adapter's.
      data: { ...adapter, tenantId, files: { create: files } },
      include: WITH_FILES,
    });
  }

  /** Of an import, once they are known. */
  async addFiles(adapterId: string, files: { name: string; bytes: bigint; uploadId: string }[]): Promise<void> {
    const { tenantId } = this.database;
    await this.database.tx.adapterFile.createMany({ data: files.map((file) => ({ ...file, tenantId, adapterId })) });
  }

  async update(id: string, data: Prisma.AdapterUpdateManyMutationInput): Promise<boolean> {
    const { tenantId } = this.database;
    const { count } = await this.database.tx.adapter.updateMany({ where: { tenantId, id, deletedAt: null }, data });
    return count === 1;
  }

  /** Ends of generations come in any order: an earlier one changes nothing. */
  async noteUse(id: string, at: Date): Promise<void> {
    const before = { OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: at } }] };
    const { tenantId } = this.database;
    await this.database.tx.adapter.updateMany({ where: { tenantId, id, deletedAt: null, ...before }, data: { lastUsedAt: at } });
  }

  /** Moves on from UPLOADING, once: false when another call was first, or the adapter is deleted. */
  async settle(id: string, data: Prisma.AdapterUpdateManyMutationInput): Promise<boolean> {
    const { tenantId } = this.database;
    const where = { tenantId, id, deletedAt: null, status: 'UPLOADING' as const };
    const { count } = await this.database.tx.adapter.updateMany({ where, data });
    return count === 1;
  }

  async updateFile(adapterId: string, name: string, data: Prisma.AdapterFileUpdateManyMutationInput): Promise<void> {
    const { tenantId } = this.database;
    await this.database.tx.adapterFile.updateMany({ where: { tenantId, adapterId, name }, data });
  }

  /** Progress of one upload; a late word of an upload that was replaced changes nothing. */
  async setReceived(uploadId: string, received: bigint): Promise<void> {
    const { tenantId } = this.database;
    await this.database.tx.adapterFile.updateMany({ where: { tenantId, uploadId }, data: { received } });
  }

  /** Of every tenant: adapters deleted before `time` that may have objects still, the longest deleted first. */
  unpurgedBefore(time: Date, limit: number): Promise<AdapterKey[]> {
    return this.database.acrossTenants(() =>
      this.database.tx.adapter.findMany({
        where: { deletedAt: { lt: time }, sha256: { not: null }, purgedAt: null },
        orderBy: { deletedAt: 'asc' },
        take: limit,
        select: { tenantId: true, id: true },
      }),
    );
  }

  /** One of those, in its tenant. */
  findUnpurged(id: string): Promise<AdapterRow | null> {
    const { tenantId } = this.database;
    return this.database.tx.adapter.findFirst({ where: { tenantId, id, deletedAt: { not: null }, purgedAt: null }, include: WITH_FILES });
  }

  /** How many adapters need the objects of this content, those among them that were deleted at or after `time`. */
  countHolders(sha256: string, time: Date): Promise<number> {
    const held = { OR: [{ deletedAt: null }, { deletedAt: { gte: time } }] };
    return this.database.tx.adapter.count({ where: { tenantId: this.database.tenantId, sha256, ...held } });
  }

  /** `at` null: it may have objects again. */
  async setPurged(id: string, at: Date | null): Promise<void> {
    await this.database.tx.adapter.updateMany({ where: { tenantId: this.database.tenantId, id, deletedAt: { not: null } }, data: { purgedAt: at } });
  }

  private matching({ status, search, ids }: AdapterFilter): Prisma.AdapterWhereInput {
    return { tenantId: this.database.tenantId, deletedAt: null, ...among(ids), ...(status ? { status } : {}), ...named(search) };
  }
}

function laterThan({ field, direction }: AdapterOrder, { value, id }: AdapterPosition): Prisma.AdapterWhereInput {
  const beyond = direction === 'asc' ? 'gt' : 'lt';
  const sameValue = { [field]: value, id: { [beyond]: id } };
  if (value === null) return sameValue;
  const never = field === 'lastUsedAt' ? [{ lastUsedAt: null }] : [];
  return { OR: [{ [field]: { [beyond]: value } }, sameValue, ...never] };
}
