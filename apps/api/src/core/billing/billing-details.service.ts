import { Injectable } from '@nestjs/common';
import { textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { BillingDetailsModel, type BillingDetailsRow } from '../../models/billing-details.model.js';
import type { BillTo } from '../../models/statement.model.js';
import { TenantModel } from '../../models/tenant.model.js';
import { AuditTrail } from '../audit/audit-trail.js';

const text = (max: number) => textWithoutNul.trim().max(max, `expected at most ${max} characters`);
/** One of these lines is printed for each; more would not fit beside the statement's own. */
const ADDRESS_LINES_MAX = 8;

const detailsSchema = z.object({
  legalName: text(200).nullish(),
  address: text(500)
    .refine((given) => given.split('\n').length <= ADDRESS_LINES_MAX, `expected at most ${ADDRESS_LINES_MAX} lines`)
    .nullish(),
  taxId: text(60).nullish(),
  email: z.union([z.literal(''), z.email('expected an e-mail address').max(254, 'expected at most 254 characters')]).nullish(),
});

@Injectable()
export class BillingDetailsService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly details: BillingDetailsModel,
    private readonly tenants: TenantModel,
    private readonly audit: AuditTrail,
  ) {}

  get(tenantId: string): Promise<BillingDetailsRow> {
    return this.db.inTenant(tenantId, () => this.details.current());
  }

  /** What is not given stays as it is. Statements issued before keep what they were issued with. */
  update(tenantId: string, input: unknown): Promise<BillingDetailsRow> {
    const { legalName, address, taxId, email } = validInput(detailsSchema, input);
    const given = { legalName: legalName ?? undefined, address: address ?? undefined, taxId: taxId ?? undefined, email: email ?? undefined };
    return this.db.inTenant(tenantId, async () => {
      await this.db.lock('billing-details');
      const before = await this.details.current();
      const after = await this.details.save(given);
      const { name } = await this.tenants.current();
      await this.audit.record('billingDetails.update', { id: tenantId, label: name }, { before: fieldsOf(before), after: fieldsOf(after) });
      return after;
    });
  }

  billTo(tenantId: string): Promise<BillTo> {
    return this.db.inTenant(tenantId, async () => {
      const { name } = await this.tenants.current();
      const { legalName, address, taxId, email } = await this.details.current();
      return { tenantName: name, legalName, address, taxId, email };
    });
  }
}

const fieldsOf = ({ legalName, address, taxId, email }: BillingDetailsRow) => ({ legalName, address, taxId, email });
