'use client';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useClient } from 'urql';
import { AdaptersDocument } from '@/lib/api/documents/adapters';
import { useApiQuery } from '@/lib/api/use-api-query';
import type { ListView } from './list-view';

export const PAGE_SIZE = 15;

/**
 * One page of adapters. Relay cursors lead forward from page to page, so the cursor each page begins after is
 * kept; for a page further ahead the ones between are read first.
 */
export const useAdapters = ({ search, status, order, page: wantedPage }: ListView) => {
  const client = useClient();
  const cursors = useRef<(string | null)[]>([null]);
  // Null until the cursor of the wanted page is known, which for the first page it always is.
  const [position, setPosition] = useState<{ page: number; after: string | null } | null>(
    wantedPage === 1 ? { page: 1, after: null } : null,
  );

  // The same object while it says the same: effects compare by identity.
  const { field, direction } = order;
  const orderBy = useMemo(() => ({ field, direction }), [field, direction]);

  useEffect(() => {
    cursors.current = [null];
  }, [search, status, orderBy]);

  const variables = { first: PAGE_SIZE, search: search || null, status, orderBy, after: position?.after ?? null };
  const query = useApiQuery(AdaptersDocument, variables, { types: ['Adapter'], pause: position === null });

  const showPage = useCallback(
    async (wanted: number): Promise<void> => {
      const known = cursors.current;
      while (known.length < wanted) {
        const variables = { first: PAGE_SIZE, search: search || null, status, orderBy, after: known.at(-1) ?? null };
        const { data } = await client
          .query(AdaptersDocument, variables, { requestPolicy: 'cache-first' })
          .toPromise();
        const pageInfo = data?.tenant.adapters.pageInfo;
        if (!pageInfo?.hasNextPage || cursors.current !== known) break;
        known.push(pageInfo.endCursor);
      }
      if (cursors.current === known) {
        const page = Math.min(wanted, known.length);
        setPosition({ page, after: known[page - 1] ?? null });
      }
    },
    [client, search, status, orderBy],
  );

  useEffect(() => void showPage(wantedPage), [showPage, wantedPage]);

  const connection = query.data?.tenant.adapters;
  // Deleting the last row of the last page leaves it empty: go back to the one before.
  useEffect(() => {
    if (connection?.nodes.length === 0 && position && position.page > 1) void showPage(position.page - 1);
  }, [connection, position, showPage]);

  const loading = query.loading || position === null;
  return { ...query, loading, connection, page: position?.page ?? wantedPage };
};
