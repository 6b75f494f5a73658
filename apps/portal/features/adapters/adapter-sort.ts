/** The table's words for the orders of the API. Its sortable columns are those the API can sort by. */
import type { DataTableSortStatus } from 'mantine-datatable';
import type { AdapterListFieldsFragment, AdapterOrder } from '@/lib/api/generated/graphql';

type SortStatus = DataTableSortStatus<AdapterListFieldsFragment>;

const FIELDS = { name: 'NAME', createdAt: 'CREATED_AT', lastUsedAt: 'LAST_USED_AT' } as const;
type Sorted = keyof typeof FIELDS;

export const sortStatus = ({ field, direction }: AdapterOrder): SortStatus => ({
  columnAccessor: (Object.keys(FIELDS) as Sorted[]).find((name) => FIELDS[name] === field) ?? 'createdAt',
  direction: direction === 'ASC' ? 'asc' : 'desc',
});

/** Another column begins as people look for things in it: names from A, times from the newest. */
export const orderOf = ({ columnAccessor, direction }: SortStatus, before: AdapterOrder): AdapterOrder => {
  const field = FIELDS[columnAccessor as Sorted];
  if (field !== before.field) return { field, direction: field === 'NAME' ? 'ASC' : 'DESC' };
  return { field, direction: direction === 'asc' ? 'ASC' : 'DESC' };
};
