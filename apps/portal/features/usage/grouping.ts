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

/** Within a sentence. */
export const nounOf = (grouping: Grouping): string => labelOf(grouping).replace(/^[TB]/, (letter) => letter.toLowerCase());

/** Two keys may have one name, and are not one: the end of the id tells them apart. */
const keyName = ({ apiKeyId, apiKeyName }: Group, names: ReadonlyMap<string, number>): string => {
  if (apiKeyId === null) return 'People in the portal';
  if (apiKeyName === null) return apiKeyId;
  return (names.get(apiKeyName) ?? 0) > 1 ? `${apiKeyName} (…${apiKeyId.slice(-6)})` : apiKeyName;
};

/** What an answer is grouped by. While the next one is on its way the last one is shown, which may be by something else. */
export const groupingOf = ([group]: readonly Group[]): Grouping =>
  group?.target != null ? 'TARGET' : group?.baseModelId != null ? 'BASE_MODEL' : 'API_KEY';

/** Groups as chart, table and export take them, with whatever they are by in the place of the target. */
export const toRows = (groups: readonly Group[]): UsageRow[] => {
  const grouping = groupingOf(groups);
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
