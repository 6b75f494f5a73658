/**
 * What a statement says, line by line, as the JSON download writes it. The statement's hash is over these lines, each
 * as JSON without spaces and with a line feed behind it, so that its holder can check it:
 *
 *     jq -c '.lines[]' statement.json | sha256sum
 *
 * Names and order are part of the content and therefore stay as they are. Amounts and counts are decimal strings.
 */
import { createHash } from 'node:crypto';
import { monthOf } from '../../base/month.js';
import type { StatementLineRow } from '../../models/statement.model.js';

export const lineContent = (line: StatementLineRow) => ({
  position: line.position,
  serviceMonth: monthOf(line.servicePeriod),
  baseModelId: line.baseModelId,
  adapterId: line.adapterId,
  target: line.target,
  variant: line.variant,
  apiKeyId: line.apiKeyId,
  apiKeyName: line.apiKeyName,
  priceId: line.priceId,
  promptNanoUsdPerToken: line.promptNanoUsdPerToken.toString(),
  completionNanoUsdPerToken: line.completionNanoUsdPerToken.toString(),
  requests: line.requests.toString(),
  failedRequests: line.failedRequests.toString(),
  promptTokens: line.promptTokens.toString(),
  cachedTokens: line.cachedTokens.toString(),
  completionTokens: line.completionTokens.toString(),
  exactNanoUsd: line.exactNanoUsd.toString(),
  amountNanoUsd: line.amountNanoUsd.toString(),
});

export function contentSha256(lines: readonly StatementLineRow[]): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(`${JSON.stringify(lineContent(line))}\n`);
  return hash.digest('hex');
}
