'use client';
import { Paper, Text } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useEffect, useMemo, useState } from 'react';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { formatDayWithYear } from '@/lib/format/time';
import { paging } from '@/ui/paging';
import { TextLink } from '@/ui/text-link';
import type { UsageRow } from './usage-series';

const PAGE_SIZE = 20;

const number = (
  accessor: keyof UsageRow & string,
  title: string,
  minWidth?: string,
): DataTableColumn<UsageRow> => ({
  accessor,
  title,
  textAlign: 'right',
  render: (row) => formatCount(Number(row[accessor])),
  ...(minWidth ? { visibleMediaQuery: `(min-width: ${minWidth})` } : {}),
});

/** Of a deployment, what answered is said too: each of its variants has rows of its own. */
const Target = ({ target, variant, adapterId, deploymentId }: UsageRow) => {
  const href = deploymentId ? `/deployments/${deploymentId}` : adapterId && `/adapters/${adapterId}`;
  return (
    <>
      {href ? (
        <TextLink href={href} size="sm">
          {target}
        </TextLink>
      ) : (
        <Text size="sm">{target}</Text>
      )}
      {variant !== target && (
        <Text size="xs" c="dimmed">
          {variant}
        </Text>
      )}
    </>
  );
};

const columnsBy = (by: string): DataTableColumn<UsageRow>[] => [
  { accessor: 'day', title: 'Day', noWrap: true, render: ({ day }) => formatDayWithYear(day) },
  {
    accessor: 'target',
    title: by,
    render: (row) => <Target {...row} />,
  },
  number('requests', 'Requests'),
  number('failedRequests', 'Failed', '62em'),
  number('promptTokens', 'Tokens in', '48em'),
  number('cachedTokens', 'Cached', '75em'),
  number('completionTokens', 'Tokens out', '48em'),
  { accessor: 'amount', title: 'Amount', textAlign: 'right', render: ({ amount }) => formatNanoUsd(amount) },
];

/** Newest day first. The API's rows are all here, so pages are cut from them. `by`: what those of a day are by. */
export const UsageTable = ({ rows, by }: { rows: UsageRow[]; by: string }) => {
  const [page, setPage] = useState(1);
  useEffect(() => setPage(1), [rows]);
  const sorted = useMemo(
    () => [...rows].sort((a, b) => b.day.localeCompare(a.day) || a.target.localeCompare(b.target) || a.variant.localeCompare(b.variant)),
    [rows],
  );
  return (
    <Paper style={{ overflow: 'hidden' }}>
      <DataTable<UsageRow>
        idAccessor={({ day, target, variant, adapterId }) => `${day} ${target} ${variant} ${adapterId ?? ''}`}
        records={sorted.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)}
        columns={columnsBy(by)}
        backgroundColor="transparent"
        verticalSpacing="xs"
        horizontalSpacing="xs"
        {...paging(rows.length, PAGE_SIZE, page, setPage)}
      />
    </Paper>
  );
};
