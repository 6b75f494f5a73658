'use client';
import { Badge, Code, Drawer, Group } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useState } from 'react';
import { LineGenerationsDocument } from '@/lib/api/documents/billing';
import type { LineGenerationsQuery } from '@/lib/api/generated/graphql';
import { useCursorPage } from '@/lib/api/use-cursor-page';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { formatUtcDateTime } from '@/lib/format/time';
import { CopyButton } from '@/ui/copy-button';
import { ErrorState } from '@/ui/error-state';
import { paging } from '@/ui/paging';
import type { Line } from './line-table';

type Generations = NonNullable<LineGenerationsQuery['statement']['line']>['generations'];
type Row = Generations['nodes'][number];

const PAGE_SIZE = 20;
/** Of a line that has gone since: a preview's lines are made anew with every request. */
const NONE: Generations = { totalCount: 0, pageInfo: { hasNextPage: false, endCursor: null }, nodes: [] };

const columns: DataTableColumn<Row>[] = [
  {
    accessor: 'id',
    title: 'Request',
    render: ({ id, failed }) => (
      <Group gap={6} wrap="nowrap">
        <Code>{id.slice(-8)}</Code>
        <CopyButton value={id} what={`id ${id}`} />
        {failed && (
          <Badge color="red" variant="light" radius="sm" tt="none">
            Failed
          </Badge>
        )}
      </Group>
    ),
  },
  { accessor: 'at', title: 'Ended (UTC)', render: ({ at }) => formatUtcDateTime(at) },
  {
    accessor: 'promptTokens',
    title: 'Tokens in',
    visibleMediaQuery: '(min-width: 48em)',
    textAlign: 'right',
    render: ({ promptTokens, cachedTokens }) => (
      <span title={`${formatCount(cachedTokens)} cached`}>{formatCount(promptTokens)}</span>
    ),
  },
  {
    accessor: 'completionTokens',
    title: 'Tokens out',
    visibleMediaQuery: '(min-width: 48em)',
    textAlign: 'right',
    render: ({ completionTokens }) => formatCount(completionTokens),
  },
  { accessor: 'amount', title: 'Amount', textAlign: 'right', render: ({ amount }) => formatNanoUsd(amount) },
];

/** The requests a line is the sum of, a page at a time. */
export const LineDrawer = ({
  statementId,
  line,
  onClose,
}: {
  statementId: string;
  line: Line | null;
  onClose: () => void;
}) => (
  <Drawer opened={line !== null} onClose={onClose} size="xl" title={`Requests of ${line?.target ?? ''}`}>
    {line && <Requests statementId={statementId} lineId={line.id} />}
  </Drawer>
);

const Requests = ({ statementId, lineId }: { statementId: string; lineId: string }) => {
  const [wanted, setPage] = useState(1);
  const { connection, error, loading, reload, page } = useCursorPage(LineGenerationsDocument, {
    filter: { id: statementId, line: lineId },
    page: wanted,
    pageSize: PAGE_SIZE,
    types: [],
    connectionOf: (data) => data.statement.line?.generations ?? NONE,
  });
  if (error && !connection) return <ErrorState message={error.message} onRetry={reload} />;
  return (
    <DataTable<Row>
      records={connection?.nodes ?? []}
      columns={columns}
      fetching={loading}
      minHeight={connection ? 0 : 200}
      backgroundColor="transparent"
      noRecordsText={loading ? '' : 'No requests'}
      verticalSpacing="xs"
      horizontalSpacing="xs"
      {...paging(connection?.totalCount ?? 0, PAGE_SIZE, page, setPage)}
    />
  );
};
