'use client';
import { ActionIcon, Group, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconMessages, IconTrash } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import type { ReactNode } from 'react';
import type { AdapterListFieldsFragment, AdapterOrder } from '@/lib/api/generated/graphql';
import { paging } from '@/ui/paging';
import { columns } from './adapter-columns';
import { orderOf, sortStatus } from './adapter-sort';

type Row = AdapterListFieldsFragment;

interface Props {
  rows: Row[];
  fetching: boolean;
  total: number;
  page: number;
  pageSize: number;
  onPage: (page: number) => void;
  order: AdapterOrder;
  onOrder: (order: AdapterOrder) => void;
  onDelete: (row: Row) => void;
  empty: ReactNode;
}

const RowActions = ({ row, onDelete }: { row: Row; onDelete: (row: Row) => void }) => (
  <Group gap={2} justify="flex-end" wrap="nowrap" onClick={(event) => event.stopPropagation()}>
    {row.status === 'READY' && (
      <Tooltip label="Try in playground" withArrow>
        <ActionIcon
          component={Link}
          href={`/playground?target=${encodeURIComponent(row.slug)}`}
          variant="subtle"
          color="gray"
          aria-label={`Try ${row.slug} in the playground`}
        >
          <IconMessages size={17} />
        </ActionIcon>
      </Tooltip>
    )}
    <Tooltip label="Delete" withArrow>
      <ActionIcon
        variant="subtle"
        color="red"
        aria-label={`Delete ${row.slug}`}
        onClick={() => onDelete(row)}
      >
        <IconTrash size={17} />
      </ActionIcon>
    </Tooltip>
  </Group>
);

export const AdapterTable = ({
  rows,
  fetching,
  total,
  page,
  pageSize,
  onPage,
  order,
  onOrder,
  onDelete,
  empty,
}: Props) => {
  const router = useRouter();
  const actions: DataTableColumn<Row> = {
    accessor: 'actions',
    title: <VisuallyHidden>Actions</VisuallyHidden>,
    width: 90,
    textAlign: 'right',
    render: (row) => <RowActions row={row} onDelete={onDelete} />,
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
      sortStatus={sortStatus(order)}
      onSortStatusChange={(status) => onOrder(orderOf(status, order))}
      onRowClick={({ record }) => router.push(`/adapters/${record.id}`)}
      {...paging(total, pageSize, page, onPage)}
    />
  );
};
