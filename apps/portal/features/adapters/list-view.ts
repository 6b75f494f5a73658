import type { AdapterStatus } from '@/lib/api/generated/graphql';

/** What the list of adapters shows. It lives in the address, so that Back and a reload bring it back. */
export interface ListView {
  search: string;
  status: AdapterStatus | null;
  page: number;
}

const STATUSES: readonly AdapterStatus[] = ['READY', 'UPLOADING', 'REFUSED'];

/** Whatever an address says that makes no sense is left at its default. */
export const readListView = (params: Pick<URLSearchParams, 'get'>): ListView => {
  const page = Number(params.get('page'));
  return {
    search: (params.get('search') ?? '').trim(),
    status: STATUSES.find((status) => status.toLowerCase() === params.get('status')) ?? null,
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
};

/** The address' query, without what is at its default; empty or beginning with "?". */
export const listViewQuery = ({ search, status, page }: ListView): string => {
  const params = new URLSearchParams();
  if (search) params.set('search', search);
  if (status) params.set('status', status.toLowerCase());
  if (page > 1) params.set('page', String(page));
  return params.size > 0 ? `?${params}` : '';
};
