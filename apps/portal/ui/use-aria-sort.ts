'use client';
import type { DataTableSortStatus } from 'mantine-datatable';
import { useCallback, useEffect, useRef } from 'react';

/**
 * Says in the headers of a table by which one it is sorted. The table makes buttons of its header cells, of which
 * `aria-sort` means nothing, and has no property for either; so the cells are told once they are there.
 */
export const useAriaSort = <Row>(status: DataTableSortStatus<Row> | undefined): ((table: HTMLTableElement | null) => void) => {
  const table = useRef<HTMLTableElement | null>(null);
  useEffect(() => {
    if (!status) return;
    for (const header of table.current?.querySelectorAll<HTMLElement>('th.mantine-datatable-header-cell-sortable') ?? []) {
      const sorted = header.dataset.accessor === status.columnAccessor;
      header.role = 'columnheader';
      header.ariaSort = sorted ? (status.direction === 'asc' ? 'ascending' : 'descending') : 'none';
    }
  });
  return useCallback((element) => void (table.current = element), []);
};
