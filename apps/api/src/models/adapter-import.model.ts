import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { AdapterImport, Prisma } from '../generated/prisma/client.js';
import type { AdapterKey } from './adapter.model.js';

export type { AdapterImport as AdapterImportRow };

/** Imports under way. There is one from the adapter's beginning until it is READY, REFUSED or deleted. */
@Injectable()
export class AdapterImportModel {
  constructor(private readonly database: TenantDatabase) {}

  find(adapterId: string): Promise<AdapterImport | null> {
    return this.database.tx.adapterImport.findFirst({ where: { tenantId: this.database.tenantId, adapterId } });
  }

  count(): Promise<number> {
    return this.database.tx.adapterImport.count({ where: { tenantId: this.database.tenantId } });
  }

  /** Of every tenant, the oldest first. */
  async all(limit: number): Promise<AdapterKey[]> {
    const query = { orderBy: { createdAt: 'asc' }, take: limit, select: { tenantId: true, adapterId: true } } as const;
    const rows = await this.database.acrossTenants(() => this.database.tx.adapterImport.findMany(query));
    return rows.map(({ tenantId, adapterId }) => ({ tenantId, id: adapterId }));
  }

  async create(adapterId: string, sealedToken: Uint8Array<ArrayBuffer> | null): Promise<void> {
    await this.database.tx.adapterImport.create({ data: { tenantId: this.database.tenantId, adapterId, sealedToken } });
  }

  async update(adapterId: string, data: Prisma.AdapterImportUpdateManyMutationInput): Promise<void> {
    await this.database.tx.adapterImport.updateMany({ where: { tenantId: this.database.tenantId, adapterId }, data });
  }

  /** Of an adapter that was uploaded there is none to end. */
  async end(adapterId: string): Promise<void> {
    await this.database.tx.adapterImport.deleteMany({ where: { tenantId: this.database.tenantId, adapterId } });
  }
}
