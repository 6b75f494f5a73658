'use client';
import { ActionIcon, Group, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconMessages, IconTrash } from '@tabler/icons-react';
import { DataTable, type DataTableColumn, type DataTableSortProps } from 'mantine-datatable';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import type { ReactNode } from 'react';
import { paging } from '@/ui/paging';
import { useAriaSort } from '@/ui/use-aria-sort';

interface Target {
  id: string;
  slug: string;
}

/** A page of the things that a request can name. */
export interface TargetPage<Row> {
  rows: Row[];
  fetching: boolean;
  total: number;
  page: number;
  pageSize: number;
  onPage: (page: number) => void;
  onDelete: (row: Row) => void;
  empty: ReactNode;
}

interface Props<Row> extends TargetPage<Row> {
  columns: DataTableColumn<Row>[];
  /** Where their pages are, such as `/adapters`. */
  path: string;
  canTry?: (row: Row) => boolean;
  sorting?: DataTableSortProps<Row>;
}

interface ActionsProps {
  slug: string;
  canTry: boolean;
  onDelete: () => void;
}

const RowActions = ({ slug, canTry, onDelete }: ActionsProps) => (
  <Group gap={2} justify="flex-end" wrap="nowrap" onClick={(event) => event.stopPropagation()}>
    {canTry && (
      <Tooltip label="Try in playground" withArrow>
        <ActionIcon
          component={Link}
          href={`/playground?target=${encodeURIComponent(slug)}`}
          variant="subtle"
          color="gray"
          aria-label={`Try ${slug} in the playground`}
        >
          <IconMessages size={17} />
        </ActionIcon>
      </Tooltip>
    )}
    <Tooltip label="Delete" withArrow>
      <ActionIcon variant="subtle" color="red" aria-label={`Delete ${slug}`} onClick={onDelete}>
        <IconTrash size={17} />
      </ActionIcon>
    </Tooltip>
  </Group>
);

/** Each row leads to its page, and can be tried and deleted. */
export const TargetTable = <Row extends Target>(props: Props<Row>) => {
  const { rows, columns, fetching, total, page, pageSize, onPage, onDelete, empty, path, canTry = () => true, sorting } = props;
  const router = useRouter();
  const table = useAriaSort(sorting?.sortStatus);
  const actions: DataTableColumn<Row> = {
    accessor: 'actions',
    title: <VisuallyHidden>Actions</VisuallyHidden>,
    width: 90,
    textAlign: 'right',
    render: (row) => <RowActions slug={row.slug} canTry={canTry(row)} onDelete={() => onDelete(row)} />,
  };
  return (
    <DataTable<Row>
      records={rows}
      columns={[...columns, actions]}
      fetching={fetching}
      minHeight={rows.length === 0 ? 320 : 0}
      emptyState={empty}
      highlightOnHover
      verticalSpacing="sm"
      backgroundColor="transparent"
      {...sorting}
      tableRef={table}
      onRowClick={({ record }) => router.push(`${path}/${record.id}`)}
      {...paging(total, pageSize, page, onPage)}
    />
  );
};
