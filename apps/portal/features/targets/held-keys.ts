import type { ApiKeysQuery } from '@/lib/api/generated/graphql';

type Key = Pick<ApiKeysQuery['tenant']['apiKeys'][number], 'name' | 'targets'>;

/** Keys that name the target among those they are held to; `last`: it is the only one. */
export const keysHeldTo = (targetId: string, keys: readonly Key[]): { name: string; last: boolean }[] =>
  keys.flatMap(({ name, targets }) =>
    targets?.some(({ id }) => id === targetId) ? [{ name, last: targets.length === 1 }] : [],
  );
