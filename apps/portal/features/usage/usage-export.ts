import { nanoUsdToDecimal } from '@/lib/format/money';
import { toCsv } from './csv';
import type { Grouping } from './grouping';
import type { DayRange } from './range';
import type { UsageRow } from './usage-series';

type Column = [name: string, value: (row: UsageRow) => string | number];

const BY: Record<Grouping, Column[]> = {
  TARGET: [
    ['target', (row) => row.target],
    ['variant', (row) => row.variant],
    ['base_model', (row) => row.baseModelId],
    ['adapter_id', (row) => row.adapterId ?? ''],
    ['deployment_id', (row) => row.deploymentId ?? ''],
  ],
  API_KEY: [['api_key', (row) => row.target]],
  BASE_MODEL: [['base_model', (row) => row.target]],
};

const SUMS: Column[] = [
  ['requests', (row) => row.requests],
  ['failed_requests', (row) => row.failedRequests],
  ['prompt_tokens', (row) => row.promptTokens],
  ['cached_tokens', (row) => row.cachedTokens],
  ['completion_tokens', (row) => row.completionTokens],
  ['amount_usd', (row) => nanoUsdToDecimal(row.amount)],
];

export const usageCsv = (rows: readonly UsageRow[], grouping: Grouping): string => {
  const columns: Column[] = [['day', (row) => row.day], ...BY[grouping], ...SUMS];
  return toCsv(
    columns.map(([name]) => name),
    rows.map((row) => columns.map(([, value]) => value(row))),
  );
};

/** Hands the file to the browser's downloads. */
export const downloadUsage = (
  rows: readonly UsageRow[],
  { first, last }: DayRange,
  grouping: Grouping,
): void => {
  const url = URL.createObjectURL(new Blob([usageCsv(rows, grouping)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `aril-usage-${first}-to-${last}.csv`;
  link.click();
  URL.revokeObjectURL(url);
};
