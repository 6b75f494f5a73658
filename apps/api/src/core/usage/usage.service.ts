/** What a tenant used and owes, summed from the ledger. */
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { LedgerModel, type UsageRow } from '../../models/ledger.model.js';
import { usageRangeSchema } from './usage-range.js';
import type { UsageInput, UsageReport, UsageTotals } from './usage.types.js';

const usageSchema = z.object({ adapterId: z.uuid().nullish(), deploymentId: z.uuid().nullish() });

@Injectable()
export class UsageService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly ledger: LedgerModel,
  ) {}

  async report(tenantId: string, input: UsageInput): Promise<UsageReport> {
    const { from, to } = validInput(usageRangeSchema, input);
    const { adapterId, deploymentId } = validInput(usageSchema, input);
    const range = { from, to, adapterId: adapterId ?? null, deploymentId: deploymentId ?? null };
    const rows = await this.db.inTenant(tenantId, () => this.ledger.usage(range));
    return { from, to, rows: rows.map(({ amountNanoUsd, ...row }) => ({ ...row, amount: amountNanoUsd })), totals: totalsOf(rows) };
  }
}

function totalsOf(rows: readonly UsageRow[]): UsageTotals {
  const totals: UsageTotals = { requests: 0, promptTokens: 0, completionTokens: 0, amount: 0n };
  for (const row of rows) {
    totals.requests += row.requests;
    totals.promptTokens += row.promptTokens;
    totals.completionTokens += row.completionTokens;
    totals.amount += row.amountNanoUsd;
  }
  return totals;
}
