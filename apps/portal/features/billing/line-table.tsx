'use client';
import { Anchor, Badge, Group, Stack, Text } from '@mantine/core';
import { IconReceiptOff } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useState } from 'react';
import type { StatementQuery } from '@/lib/api/generated/graphql';
import { formatBilledUsd, formatPricePerMillion } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { formatMonth } from '@/lib/format/time';
import { EmptyState } from '@/ui/empty-state';
import { paging } from '@/ui/paging';
import { LineDrawer } from './line-drawer';

export type Line = StatementQuery['statement']['lines'][number];

const PAGE_SIZE = 25;

const What = ({ line, onOpen }: { line: Line; onOpen: (line: Line) => void }) => (
  <Stack gap={0} align="flex-start" miw="9rem" style={{ overflowWrap: 'anywhere' }}>
    <Group gap="xs">
      <Anchor
        component="button"
        type="button"
        size="sm"
        fw={600}
        ta="start"
        underline="always"
        onClick={() => onOpen(line)}
        aria-label={`Requests of line ${line.position}, ${line.target}`}
      >
        {line.target}
      </Anchor>
      {line.adjustment && (
        <Badge variant="light" color="amber" radius="sm" tt="none">
          Adjustment of {formatMonth(line.serviceMonth)}
        </Badge>
      )}
    </Group>
    <Text size="xs" c="dimmed">
      {line.variant !== null && `answered by ${line.variant} · `}
      {![line.target, line.variant].includes(line.baseModelId) && `${line.baseModelId} · `}
      {line.apiKeyId ? `key ${line.apiKeyName ?? line.apiKeyId}` : 'people in the portal'}
    </Text>
  </Stack>
);

const count = (
  accessor: 'requests' | 'failedRequests' | 'promptTokens' | 'cachedTokens' | 'completionTokens',
  title: string,
  minWidth: string,
): DataTableColumn<Line> => ({
  accessor,
  title,
  textAlign: 'right',
  render: (line) => formatCount(line[accessor]),
  visibleMediaQuery: `(min-width: ${minWidth})`,
});

const figures: DataTableColumn<Line>[] = [
  count('requests', 'Requests', '30em'),
  count('failedRequests', 'Failed', '75em'),
  count('promptTokens', 'Tokens in', '48em'),
  count('cachedTokens', 'Cached', '75em'),
  count('completionTokens', 'Tokens out', '48em'),
  {
    accessor: 'price',
    title: 'Per million in / out',
    textAlign: 'right',
    visibleMediaQuery: '(min-width: 62em)',
    render: (line) =>
      `${formatPricePerMillion(line.promptNanoUsdPerToken)} / ${formatPricePerMillion(line.completionNanoUsdPerToken)}`,
  },
  { accessor: 'amount', title: 'Amount', textAlign: 'right', render: ({ amount }) => formatBilledUsd(amount) },
];

export const LineTable = ({ statementId, lines }: { statementId: string; lines: Line[] }) => {
  const [page, setPage] = useState(1);
  const [opened, open] = useState<Line | null>(null);
  const what: DataTableColumn<Line> = {
    accessor: 'target',
    title: 'What',
    render: (line) => <What line={line} onOpen={open} />,
  };
  return (
    <>
      <DataTable<Line>
        records={lines.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)}
        columns={[what, ...figures]}
        backgroundColor="transparent"
        minHeight={lines.length === 0 ? 220 : 0}
        emptyState={
          <EmptyState icon={<IconReceiptOff />} title="Nothing was used yet">
            Idle adapters cost nothing.
          </EmptyState>
        }
        verticalSpacing="xs"
        horizontalSpacing="xs"
        {...paging(lines.length, PAGE_SIZE, page, setPage)}
      />
      <LineDrawer statementId={statementId} line={opened} onClose={() => open(null)} />
    </>
  );
};
