import { Stack, Text } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useRouter } from 'next/navigation';
import type { ReactNode } from 'react';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { paging } from '@/ui/paging';
import { TextLink } from '@/ui/text-link';
import { type Batch, nameOf } from './batch-state';
import { BatchProgress, BatchStatusBadge } from './batch-status';

interface Props {
  rows: Batch[];
  fetching: boolean;
  total: number;
  page: number;
  pageSize: number;
  onPage: (page: number) => void;
  empty: ReactNode;
}

const columns: DataTableColumn<Batch>[] = [
  {
    accessor: 'inputFileName',
    title: 'Batch',
    render: (batch) => (
      <Stack gap={0} miw="6rem" style={{ overflowWrap: 'anywhere' }}>
        <TextLink href={`/batches/${batch.id}`} fw={600} size="sm">
          {nameOf(batch)}
        </TextLink>
        <Text size="xs" c="dimmed">
          {batch.endpoint}
        </Text>
      </Stack>
    ),
  },
  { accessor: 'status', title: 'Status', width: 130, render: ({ status }) => <BatchStatusBadge status={status} /> },
  { accessor: 'completed', title: 'Answered', width: '30%', render: (batch) => <BatchProgress {...batch} /> },
  {
    accessor: 'createdAt',
    title: 'Started',
    width: 130,
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ createdAt }) => <span title={formatDateTime(createdAt)}>{formatRelative(createdAt)}</span>,
  },
];

/** Newest first; a row leads to its batch. */
export const BatchTable = ({ rows, fetching, total, page, pageSize, onPage, empty }: Props) => {
  const router = useRouter();
  return (
    <DataTable<Batch>
      records={rows}
      columns={columns}
      fetching={fetching}
      minHeight={rows.length === 0 ? 320 : 0}
      emptyState={empty}
      highlightOnHover
      verticalSpacing="sm"
      backgroundColor="transparent"
      onRowClick={({ record }) => router.push(`/batches/${record.id}`)}
      {...paging(total, pageSize, page, onPage)}
    />
  );
};
