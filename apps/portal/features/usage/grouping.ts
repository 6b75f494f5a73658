import type { UsageDimension, UsageGroupsQuery } from '@/lib/api/generated/graphql';
import type { UsageRow } from './usage-series';

/** What a day's usage is told apart by. */
export type Grouping = Exclude<UsageDimension, 'DAY'>;
type Group = UsageGroupsQuery['tenant']['usage']['groups'][number];

export const GROUPINGS: { value: Grouping; label: string }[] = [
  { value: 'TARGET', label: 'Target' },
  { value: 'API_KEY', label: 'API key' },
  { value: 'BASE_MODEL', label: 'Base model' },
];

export const labelOf = (grouping: Grouping): string =>
  GROUPINGS.find(({ value }) => value === grouping)?.label ?? '';

/** Two keys may have one name, and are not one: the end of the id tells them apart. */
const keyName = ({ apiKeyId, apiKeyName }: Group, names: ReadonlyMap<string, number>): string => {
  if (apiKeyId === null) return 'People in the portal';
  if (apiKeyName === null) return apiKeyId;
  return (names.get(apiKeyName) ?? 0) > 1 ? `${apiKeyName} (…${apiKeyId.slice(-6)})` : apiKeyName;
};

/** Groups as chart, table and export take them, with whatever they are by in the place of the target. */
export const toRows = (groups: readonly Group[], grouping: Grouping): UsageRow[] => {
  const keys = new Map(groups.map(({ apiKeyId, apiKeyName }) => [apiKeyId, apiKeyName]));
  const names = new Map<string, number>();
  for (const name of keys.values()) if (name !== null) names.set(name, (names.get(name) ?? 0) + 1);
  const nameOf = (group: Group): string | null =>
    grouping === 'TARGET' ? group.target : grouping === 'BASE_MODEL' ? group.baseModelId : keyName(group, names);
  return groups.map((group) => ({
    ...group,
    day: group.day ?? '',
    baseModelId: group.baseModelId ?? '',
    target: nameOf(group) ?? '',
    variant: group.variant ?? nameOf(group) ?? '',
  }));
};
