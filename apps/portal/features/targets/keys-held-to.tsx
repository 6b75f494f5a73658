'use client';
import { Text } from '@mantine/core';
import { ApiKeysDocument } from '@/lib/api/documents/api-keys';
import { useApiQuery } from '@/lib/api/use-api-query';
import { keysHeldTo } from './held-keys';

/** What a question whether to delete a target says of the API keys that may name little else. Nothing where there are none. */
export const KeysHeldTo = ({ targetId }: { targetId: string }) => {
  const { data } = useApiQuery(ApiKeysDocument, {});
  const keys = keysHeldTo(targetId, data?.tenant.apiKeys ?? []);
  if (keys.length === 0) return null;
  return (
    <Text component="span" size="sm" display="block" mt="sm" role="status">
      API keys that are held to it lose it:{' '}
      {keys.map(({ name, last }) => (last ? `${name} (which may name nothing else)` : name)).join(', ')}.
    </Text>
  );
};
