/** A statement, issued or as it would be if its month ended now. */
import { createHash } from 'node:crypto';
import { monthOf } from '../../base/month.js';
import { CURRENCY } from '../../base/usd.js';
import type { BillTo, StatementLineRow, StatementRow } from '../../models/statement.model.js';
import { totalsOf } from './statement-totals.js';

export type StatementStatus = 'PREVIEW' | 'ISSUED';

export interface StatementView {
  /** A preview's id is its month. */
  id: string;
  month: string;
  status: StatementStatus;
  number: string | null;
  currency: string;
  issuer: string;
  billTo: BillTo;
  issuedAt: Date | null;
  lineCount: number;
  exactAmount: bigint;
  amount: bigint;
  contentSha256: string | null;
}

/** With its lines. */
export interface FullStatement extends StatementView {
  lines: StatementLineRow[];
}

export const issuedView = (row: StatementRow): StatementView => ({
  id: row.id,
  month: monthOf(row.period),
  status: 'ISSUED',
  number: row.number,
  currency: row.currency,
  issuer: row.issuer,
  // Written by us from a BillTo.
  billTo: row.billTo as unknown as BillTo,
  issuedAt: row.issuedAt,
  lineCount: row.lineCount,
  exactAmount: row.exactNanoUsd,
  amount: row.amountNanoUsd,
  contentSha256: row.contentSha256,
});

export function preview(month: string, issuer: string, billTo: BillTo, lines: StatementLineRow[]): FullStatement {
  const { exactNanoUsd, amountNanoUsd } = totalsOf(lines);
  return {
    id: month,
    month,
    status: 'PREVIEW',
    number: null,
    currency: CURRENCY,
    issuer,
    billTo,
    issuedAt: null,
    lineCount: lines.length,
    exactAmount: exactNanoUsd,
    amount: amountNanoUsd,
    contentSha256: null,
    lines,
  };
}

/** The same for a line of a preview and for what becomes of it when the month is issued. */
export function lineId(month: string, line: StatementLineRow): string {
  const { servicePeriod, baseModelId, adapterId, target, variant, apiKeyId, priceId } = line;
  const key = JSON.stringify([month, monthOf(servicePeriod), baseModelId, adapterId, target, variant, apiKeyId, priceId]);
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

/** Whose name stands on it. */
export const addressee = ({ legalName, tenantName }: BillTo): string => legalName || tenantName;
