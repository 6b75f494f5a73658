'use client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient, type TypedDocumentNode } from 'urql';
import { useApiQuery } from './use-api-query';

interface Connection {
  nodes: unknown[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface Options<Data, Filter, C extends Connection> {
  /** What JSON can say. */
  filter: Filter;
  page: number;
  pageSize: number;
  types: string[];
  connectionOf: (data: Data) => C;
}

type PageVariables = { first: number; after?: string | null };

/**
 * One page of a Relay connection. Cursors lead forward from page to page, so the cursor each page begins after is
 * kept; for a page further ahead the ones between are read first.
 */
export const useCursorPage = <Data, Filter extends object, C extends Connection>(
  query: TypedDocumentNode<Data, Filter & PageVariables>,
  { filter, page: wantedPage, pageSize: first, types, connectionOf }: Options<Data, Filter, C>,
) => {
  const client = useClient();
  const cursors = useRef<(string | null)[]>([null]);
  // Null until the cursor of the wanted page is known, which for the first page it always is.
  const [position, setPosition] = useState<{ page: number; after: string | null } | null>(
    wantedPage === 1 ? { page: 1, after: null } : null,
  );
  const filterKey = JSON.stringify(filter);
  // Callers write it anew for every render.
  const latest = useRef(connectionOf);
  latest.current = connectionOf;

  useEffect(() => {
    cursors.current = [null];
  }, [filterKey]);

  const variables = { ...filter, first, after: position?.after ?? null };
  const answer = useApiQuery(query, variables, { types, pause: position === null });

  const showPage = useCallback(
    async (wanted: number): Promise<void> => {
      const known = cursors.current;
      while (known.length < wanted) {
        const { data } = await client
          .query(query, { ...(JSON.parse(filterKey) as Filter), first, after: known.at(-1) ?? null }, { requestPolicy: 'cache-first' })
          .toPromise();
        const pageInfo = data && latest.current(data).pageInfo;
        if (!pageInfo?.hasNextPage || cursors.current !== known) break;
        known.push(pageInfo.endCursor);
      }
      if (cursors.current === known) {
        const page = Math.min(wanted, known.length);
        setPosition({ page, after: known[page - 1] ?? null });
      }
    },
    [client, query, filterKey, first],
  );

  useEffect(() => void showPage(wantedPage), [showPage, wantedPage]);

  const connection = answer.data && connectionOf(answer.data);
  // Deleting the last row of the last page leaves it empty: go back to the one before.
  const emptied = connection?.nodes.length === 0 && position !== null && position.page > 1 ? position.page : null;
  useEffect(() => {
    if (emptied !== null) void showPage(emptied - 1);
  }, [emptied, showPage]);

  const loading = answer.loading || position === null;
  return { ...answer, loading, connection, page: position?.page ?? wantedPage };
};
