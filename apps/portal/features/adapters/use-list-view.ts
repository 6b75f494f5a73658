'use client';
import { usePathname, useRouter, useSearchParams } from 'next/navigation';
import { useCallback, useMemo } from 'react';
import { listViewQuery, readListView, type ListView } from './list-view';

/** The list's view and a way to change it. A page is a step one may go back from; typing a search is not. */
export const useListView = (): [ListView, (change: Partial<ListView>) => void] => {
  const router = useRouter();
  const pathname = usePathname();
  const params = useSearchParams();
  const view = useMemo(() => readListView(params), [params]);
  const change = useCallback(
    (part: Partial<ListView>) => {
      const next = { ...view, page: 1, ...part };
      const href = pathname + listViewQuery(next);
      if (next.search === view.search) router.push(href, { scroll: false });
      else router.replace(href, { scroll: false });
    },
    [view, pathname, router],
  );
  return [view, change];
};
