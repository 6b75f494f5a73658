'use client';
import { AdaptersDocument } from '@/lib/api/documents/adapters';
import { useCursorPage } from '@/lib/api/use-cursor-page';
import type { ListView } from './list-view';

export const PAGE_SIZE = 15;

export const useAdapters = ({ search, status, order, page }: ListView) =>
  useCursorPage(AdaptersDocument, {
    filter: { search: search || null, status, orderBy: order },
    page,
    pageSize: PAGE_SIZE,
    types: ['Adapter'],
    connectionOf: (data) => data.tenant.adapters,
  });
