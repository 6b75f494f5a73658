import { Text } from '@mantine/core';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCompact } from '@/lib/format/quantity';

type Key = Pick<ApiKeysQuery['tenant']['apiKeys'][number], 'limits' | 'budget'>;

/** In a few words, for a row of a table. */
function limitsInWords({ limits, budget }: Key): string[] {
  const { requestsPerMinute, tokensPerMinute, parallelRequests } = limits;
  return [
    requestsPerMinute !== null && `${formatCompact(requestsPerMinute)} requests/min`,
    tokensPerMinute !== null && `${formatCompact(tokensPerMinute)} tokens/min`,
    parallelRequests !== null && `${formatCompact(parallelRequests)} at once`,
    budget.hard !== null && `${formatNanoUsd(budget.hard)} a month`,
    budget.soft !== null && `warning from ${formatNanoUsd(budget.soft)}`,
  ].filter((words) => words !== false);
}

export const KeyLimits = (key: Key) => {
  const words = limitsInWords(key);
  return (
    <Text size="sm" {...(words.length === 0 ? { c: 'dimmed' } : {})}>
      {words.join(', ') || 'none of its own'}
    </Text>
  );
};
