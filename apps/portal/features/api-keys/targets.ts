import type { ApiKeysQuery } from '@/lib/api/generated/graphql';

type Targets = ApiKeysQuery['tenant']['apiKeys'][number]['targets'];

/** More are counted. */
const NAMED_MAX = 3;

/** For a row of a table. */
export const targetsInWords = (targets: Targets): string => {
  if (targets === null) return 'All';
  if (targets.length === 0) return 'None: all were deleted';
  const names = targets.slice(0, NAMED_MAX).map(({ target }) => target);
  const more = targets.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
};

/** null: nothing is wrong. */
export const targetsProblem = (chosen: readonly string[] | null): string | null =>
  chosen?.length === 0 ? 'Choose at least one' : null;
