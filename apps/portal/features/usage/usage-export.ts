import { nanoUsdToDecimal } from '@/lib/format/money';
import { toCsv } from './csv';
import type { DayRange } from './range';
import type { UsageRow } from './usage-series';

const HEADER = [
  'day',
  'target',
  'base_model',
  'adapter_id',
  'requests',
  'failed_requests',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'amount_usd',
];

export const usageCsv = (rows: readonly UsageRow[]): string =>
  toCsv(
    HEADER,
    rows.map((row) => [
      row.day,
      row.target,
      row.baseModelId,
      row.adapterId ?? '',
      row.requests,
      row.failedRequests,
      row.promptTokens,
      row.cachedTokens,
      row.completionTokens,
      nanoUsdToDecimal(row.amount),
    ]),
  );

/** Hands the file to the browser's downloads. */
export const downloadUsage = (rows: readonly UsageRow[], { first, last }: DayRange): void => {
  const url = URL.createObjectURL(new Blob([usageCsv(rows)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `aril-usage-${first}-to-${last}.csv`;
  link.click();
  URL.revokeObjectURL(url);
};
