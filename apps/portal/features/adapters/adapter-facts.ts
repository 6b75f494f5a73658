import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';

type Summary = NonNullable<AdapterListFieldsFragment['summary']>;

export const formatRank = ({ rankMin, rankMax }: Pick<Summary, 'rankMin' | 'rankMax'>): string =>
  rankMin === rankMax ? String(rankMin) : `${rankMin}–${rankMax}`;

/** "q_proj" as people say it: "q". */
export const formatTargets = (modules: readonly string[]): string =>
  modules.map((name) => name.replace(/_proj$/, '')).join(' ');
