import type { AdapterOrder, AdapterStatus } from '@/lib/api/generated/graphql';

/** What the list of adapters shows. It lives in the address, so that Back and a reload bring it back. */
export interface ListView {
  search: string;
  status: AdapterStatus | null;
  order: AdapterOrder;
  page: number;
}

const STATUSES: readonly AdapterStatus[] = ['READY', 'UPLOADING', 'REFUSED'];

/** As the address names them; a minus in front turns the order around. */
const SORTS: Record<string, AdapterOrder['field']> = { name: 'NAME', created: 'CREATED_AT', used: 'LAST_USED_AT' };

export const NEWEST_FIRST: AdapterOrder = { field: 'CREATED_AT', direction: 'DESC' };

const readOrder = (sort: string): AdapterOrder => {
  const field = SORTS[sort.replace(/^-/, '')];
  return field ? { field, direction: sort.startsWith('-') ? 'DESC' : 'ASC' } : NEWEST_FIRST;
};

const sortOf = ({ field, direction }: AdapterOrder): string => {
  const name = Object.keys(SORTS).find((key) => SORTS[key] === field);
  return `${direction === 'DESC' ? '-' : ''}${name}`;
};

/** Whatever an address says that makes no sense is left at its default. */
export const readListView = (params: Pick<URLSearchParams, 'get'>): ListView => {
  const page = Number(params.get('page'));
  return {
    search: (params.get('search') ?? '').trim(),
    status: STATUSES.find((status) => status.toLowerCase() === params.get('status')) ?? null,
    order: readOrder(params.get('sort') ?? ''),
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
};

/** The address' query, without what is at its default; empty or beginning with "?". */
export const listViewQuery = ({ search, status, order, page }: ListView): string => {
  const params = new URLSearchParams();
  if (search) params.set('search', search);
  if (status) params.set('status', status.toLowerCase());
  if (sortOf(order) !== sortOf(NEWEST_FIRST)) params.set('sort', sortOf(order));
  if (page > 1) params.set('page', String(page));
  return params.size > 0 ? `?${params}` : '';
};
