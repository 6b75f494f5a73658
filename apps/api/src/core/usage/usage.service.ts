/** What a tenant used and owes, summed from the ledger. */
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { LedgerModel, type UsageRow } from '../../models/ledger.model.js';
import type { UsageInput, UsageReport, UsageTotals } from './usage.types.js';

const DAY_MS = 86_400_000;
const DAYS_MAX = 366;

const rangeSchema = z
  .object({ from: z.date(), to: z.date(), adapterId: z.uuid().nullish() })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'expected a time after `from`' })
  .refine(({ from, to }) => to.getTime() - from.getTime() <= DAYS_MAX * DAY_MS, {
    path: ['to'],
    message: `expected at most ${DAYS_MAX} days after \`from\``,
  });

@Injectable()
export class UsageService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly ledger: LedgerModel,
  ) {}

  async report(tenantId: string, input: UsageInput): Promise<UsageReport> {
    const { from, to, adapterId } = validInput(rangeSchema, input);
    const range = { from, to, adapterId: adapterId ?? null };
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
