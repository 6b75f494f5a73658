/** Lines and what they are made of, as GraphQL shows them. */
import { monthOf } from '../../base/month.js';
import type { LedgerRow } from '../../models/ledger.model.js';
import type { StatementLineRow } from '../../models/statement.model.js';
import type { StatementTotals } from './statement-totals.js';
import { lineId } from './statement.view.js';
import type { BilledGeneration, StatementLineType } from './statement-line.types.js';
import type { StatementTotalsType } from './statement.types.js';

/** What the field resolvers of a line start from; only the declared fields are visible. */
export interface StatementLineView extends StatementLineType {
  month: string;
  row: StatementLineRow;
}

export const totalsView = (sums: StatementTotals): StatementTotalsType => ({
  requests: Number(sums.requests),
  failedRequests: Number(sums.failedRequests),
  promptTokens: Number(sums.promptTokens),
  cachedTokens: Number(sums.cachedTokens),
  completionTokens: Number(sums.completionTokens),
  exactAmount: sums.exactNanoUsd,
  amount: sums.amountNanoUsd,
});

export function lineView(month: string, row: StatementLineRow): StatementLineView {
  const serviceMonth = monthOf(row.servicePeriod);
  return { ...row, ...totalsView(row), id: lineId(month, row), serviceMonth, adjustment: serviceMonth !== month, month, row };
}

export const billedGeneration = ({ generationId, amountNanoUsd, ...entry }: LedgerRow): BilledGeneration => ({
  ...entry,
  id: generationId,
  amount: amountNanoUsd,
});
