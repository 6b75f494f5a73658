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

export const orderOf = ({ columnAccessor, direction }: SortStatus): AdapterOrder => ({
  field: FIELDS[columnAccessor as Sorted],
  direction: direction === 'asc' ? 'ASC' : 'DESC',
});
