import type { StatementLineRow } from '../../models/statement.model.js';

const SUMMED = ['requests', 'failedRequests', 'promptTokens', 'cachedTokens', 'completionTokens', 'exactNanoUsd', 'amountNanoUsd'] as const;

export type StatementTotals = Record<(typeof SUMMED)[number], bigint>;

/** A statement's amount is the sum of its lines' rounded amounts: nothing is rounded twice. */
export const totalsOf = (lines: readonly StatementLineRow[]): StatementTotals =>
  Object.fromEntries(SUMMED.map((name) => [name, lines.reduce((sum, line) => sum + line[name], 0n)])) as StatementTotals;
