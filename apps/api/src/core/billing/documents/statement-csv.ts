import { csv, type CsvCell } from '../../../base/csv.js';
import { monthOf } from '../../../base/month.js';
import { exactUsd } from '../../../base/usd.js';
import type { StatementLineRow } from '../../../models/statement.model.js';
import type { FullStatement } from '../statement.view.js';

type Column = [name: string, value: (line: StatementLineRow, statement: FullStatement) => CsvCell];

const COLUMNS: Column[] = [
  ['statement', (_, { number }) => number ?? 'preview'],
  ['month', (_, { month }) => month],
  ['line', (line) => line.position],
  ['service_month', (line) => monthOf(line.servicePeriod)],
  ['adjustment', (line, { month }) => (monthOf(line.servicePeriod) === month ? 'no' : 'yes')],
  ['base_model', (line) => line.baseModelId],
  ['target', (line) => line.target],
  ['variant', (line) => line.variant ?? line.target],
  ['adapter_id', (line) => line.adapterId],
  ['api_key_id', (line) => line.apiKeyId],
  ['api_key', (line) => line.apiKeyName],
  ['price_id', (line) => line.priceId],
  ['prompt_usd_per_million_tokens', (line) => exactUsd(line.promptNanoUsdPerToken * 1_000_000n)],
  ['completion_usd_per_million_tokens', (line) => exactUsd(line.completionNanoUsdPerToken * 1_000_000n)],
  ['requests', (line) => line.requests],
  ['failed_requests', (line) => line.failedRequests],
  ['prompt_tokens', (line) => line.promptTokens],
  ['cached_tokens', (line) => line.cachedTokens],
  ['completion_tokens', (line) => line.completionTokens],
  ['exact_amount_usd', (line) => exactUsd(line.exactNanoUsd)],
  ['amount_usd', (line) => exactUsd(line.amountNanoUsd)],
];

export const statementCsv = (statement: FullStatement): string =>
  csv([COLUMNS.map(([name]) => name), ...statement.lines.map((line) => COLUMNS.map(([, value]) => value(line, statement)))]);
