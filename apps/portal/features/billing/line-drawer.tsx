'use client';
import { Badge, Button, Code, Drawer, Group, Text } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useEffect, useState } from 'react';
import { LineGenerationsDocument } from '@/lib/api/documents/billing';
import type { LineGenerationsQuery } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { formatUtcDateTime } from '@/lib/format/time';
import { CopyButton } from '@/ui/copy-button';
import { ErrorState } from '@/ui/error-state';
import type { Line } from './line-table';

type Row = NonNullable<LineGenerationsQuery['statement']['line']>['generations']['nodes'][number];

const PAGE_SIZE = 20;

const columns: DataTableColumn<Row>[] = [
  {
    accessor: 'id',
    title: 'Request',
    render: ({ id, failed }) => (
      <Group gap={6} wrap="nowrap">
        <Code>{id.slice(-12)}</Code>
        <CopyButton value={id} what={`id ${id}`} />
        {failed && (
          <Badge color="red" variant="light" radius="sm" tt="none">
            Failed
          </Badge>
        )}
      </Group>
    ),
  },
  { accessor: 'at', title: 'Ended (UTC)', noWrap: true, render: ({ at }) => formatUtcDateTime(at) },
  {
    accessor: 'promptTokens',
    title: 'Tokens in',
    textAlign: 'right',
    render: ({ promptTokens, cachedTokens }) => (
      <span title={`${formatCount(cachedTokens)} cached`}>{formatCount(promptTokens)}</span>
    ),
  },
  {
    accessor: 'completionTokens',
    title: 'Tokens out',
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
}) => {
  // The cursors that the pages up to this one begin after; none for the first.
  const [cursors, setCursors] = useState<string[]>([]);
  useEffect(() => setCursors([]), [line]);
  const variables = { id: statementId, line: line?.id ?? '', first: PAGE_SIZE, after: cursors.at(-1) ?? null };
  const { data, error, loading, reload } = useApiQuery(LineGenerationsDocument, variables, { pause: line === null });
  const generations = data?.statement.line?.generations;
  const total = generations?.totalCount ?? line?.requests ?? 0;
  const next = generations?.pageInfo.hasNextPage ? generations.pageInfo.endCursor : null;
  return (
    <Drawer opened={line !== null} onClose={onClose} position="right" size="xl" title={`Requests of ${line?.target ?? ''}`}>
      {error && !generations ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <DataTable<Row>
          records={generations?.nodes ?? []}
          columns={columns}
          fetching={loading}
          minHeight={generations ? 0 : 200}
          backgroundColor="transparent"
          noRecordsText="No requests"
          verticalSpacing="xs"
          horizontalSpacing="xs"
        />
      )}
      <Group justify="space-between" mt="md">
        <Text size="sm" c="dimmed">
          {formatCount(total)} {total === 1 ? 'request' : 'requests'}
        </Text>
        <Group gap="xs">
          <Button
            variant="default"
            size="xs"
            disabled={cursors.length === 0}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            Newer
          </Button>
          <Button
            variant="default"
            size="xs"
            disabled={next === null}
            onClick={() => next !== null && setCursors([...cursors, next])}
          >
            Older
          </Button>
        </Group>
      </Group>
    </Drawer>
  );
};
