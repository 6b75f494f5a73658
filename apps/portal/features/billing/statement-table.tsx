'use client';
import { VisuallyHidden } from '@mantine/core';
import { IconReceipt } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useState } from 'react';
import type { BillingQuery } from '@/lib/api/generated/graphql';
import { formatBilledUsd } from '@/lib/format/money';
import { formatMonth, formatUtcDate } from '@/lib/format/time';
import { EmptyState } from '@/ui/empty-state';
import { paging } from '@/ui/paging';
import { TextLink } from '@/ui/text-link';
import { DownloadMenu } from './download-menu';

type Row = BillingQuery['tenant']['statements']['nodes'][number];

const PAGE_SIZE = 12;

const columns: DataTableColumn<Row>[] = [
  {
    accessor: 'month',
    title: 'Month',
    render: ({ id, month }) => (
      <TextLink href={`/billing/${id}`} size="sm" fw={600}>
        {formatMonth(month)}
      </TextLink>
    ),
  },
  { accessor: 'number', title: 'Number', visibleMediaQuery: '(min-width: 48em)' },
  {
    accessor: 'issuedAt',
    title: 'Issued',
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ issuedAt }) => (issuedAt ? formatUtcDate(issuedAt) : '–'),
  },
  {
    accessor: 'amount',
    title: 'Amount',
    textAlign: 'right',
    render: ({ amount }) => formatBilledUsd(amount),
  },
  {
    accessor: 'download',
    title: <VisuallyHidden>Download</VisuallyHidden>,
    textAlign: 'right',
    render: ({ id, month }) => <DownloadMenu id={id} of={`statement of ${formatMonth(month)}`} compact />,
  },
];

/** Newest first. All of them are here, so pages are cut from them. */
export const StatementTable = ({ rows }: { rows: Row[] }) => {
  const [page, setPage] = useState(1);
  return (
    <DataTable<Row>
      records={rows.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)}
      columns={columns}
      backgroundColor="transparent"
      minHeight={rows.length === 0 ? 220 : 0}
      emptyState={
        <EmptyState icon={<IconReceipt />} title="No statements yet">
          The first one is issued when a month in which something was used is over.
        </EmptyState>
      }
      verticalSpacing="sm"
      horizontalSpacing="xs"
      {...paging(rows.length, PAGE_SIZE, page, setPage)}
    />
  );
};
