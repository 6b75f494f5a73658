import { Text } from '@mantine/core';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { formatDateTime, formatRelative } from '@/lib/format/time';

type Previous = NonNullable<ApiKeysQuery['tenant']['apiKeys'][number]['previousSecret']>;

/** What tells whether the old secret is needed still: once its last use stands still, nothing uses it. */
export const PreviousSecretNote = ({ prefix, worksUntil, lastUsedAt }: Previous) => (
  <Text size="xs" c="dimmed" maw="18rem">
    Old secret {prefix}… works until {formatDateTime(worksUntil)},{' '}
    {lastUsedAt ? <span title={formatDateTime(lastUsedAt)}>last used {formatRelative(lastUsedAt)}</span> : 'never used'}
  </Text>
);
