'use client';
import { Group, Stack, Text } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import type { ComparisonQuery } from '@/lib/api/generated/graphql';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount, formatDurationMs, formatShare } from '@/lib/format/quantity';
import { Swatch, VariantName } from './deployment-split';

export type ComparedVariant = ComparisonQuery['deployment']['comparison']['variants'][number];
type Row = ComparedVariant & { index: number; total: number };

const times = (p50: number | null, p95: number | null): string =>
  p50 === null || p95 === null ? '–' : `${formatDurationMs(p50)} / ${formatDurationMs(p95)}`;

const Two = ({ first, second }: { first: string; second: string }) => (
  <Stack gap={0} align="flex-end">
    <span>{first}</span>
    <Text size="xs" c="dimmed">
      {second}
    </Text>
  </Stack>
);

const right = (accessor: string, title: string, render: (row: Row) => React.ReactNode): DataTableColumn<Row> => ({
  accessor,
  title,
  textAlign: 'right',
  noWrap: true,
  render,
});

const columns: DataTableColumn<Row>[] = [
  {
    accessor: 'target',
    title: 'Variant',
    render: ({ index, target, adapterId, variant }) => (
      <Group gap={8} wrap="nowrap" miw="9rem">
        <Swatch index={index} />
        <Stack gap={0}>
          <VariantName target={target} adapterId={adapterId} />
          {!variant && (
            <Text size="xs" c="dimmed">
              no longer a variant
            </Text>
          )}
        </Stack>
      </Group>
    ),
  },
  right('requests', 'Requests', ({ requests, total, variant }) => (
    <Two
      first={formatCount(requests)}
      second={`${formatShare(total === 0 ? 0 : requests / total)}${variant ? `, set to ${formatShare(variant.share)}` : ''}`}
    />
  )),
  right('failedRequests', 'Failed', ({ failedRequests, requests }) => (
    <Two first={formatCount(failedRequests)} second={requests === 0 ? '–' : formatShare(failedRequests / requests)} />
  )),
  right('tokens', 'Tokens in / out', ({ promptTokens, completionTokens }) => (
    <>
      {formatCount(promptTokens)} / {formatCount(completionTokens)}
    </>
  )),
  right('amount', 'Amount', ({ amount }) => formatNanoUsd(amount)),
  right('ttft', 'First token, p50 / p95', ({ ttftMsP50, ttftMsP95 }) => times(ttftMsP50, ttftMsP95)),
  right('time', 'Total time, p50 / p95', ({ totalMsP50, totalMsP95 }) => times(totalMsP50, totalMsP95)),
];

/** One line per variant. */
export const ComparisonTable = ({ variants }: { variants: readonly ComparedVariant[] }) => {
  const total = variants.reduce((sum, { requests }) => sum + requests, 0);
  return (
    <DataTable<Row>
      idAccessor={({ target, adapterId }) => `${target} ${adapterId ?? ''}`}
      records={variants.map((variant, index) => ({ ...variant, index, total }))}
      columns={columns}
      backgroundColor="transparent"
      verticalSpacing="xs"
      horizontalSpacing="xs"
    />
  );
};
