import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { BillingDetails } from '../generated/prisma/client.js';

export type BillingDetailsRow = Pick<BillingDetails, 'legalName' | 'address' | 'taxId' | 'email'>;

const NONE: BillingDetailsRow = { legalName: '', address: '', taxId: '', email: '' };

/** Whom a tenant's statements are addressed to. */
@Injectable()
export class BillingDetailsModel {
  constructor(private readonly db: TenantDatabase) {}

  async current(): Promise<BillingDetailsRow> {
    const row = await this.db.tx.billingDetails.findUnique({ where: { tenantId: this.db.tenantId } });
    return row ?? NONE;
  }

  save(details: Partial<BillingDetailsRow>): Promise<BillingDetailsRow> {
    const { tenantId } = this.db;
    return this.db.tx.billingDetails.upsert({ where: { tenantId }, create: { ...details, tenantId }, update: details });
  }
}
