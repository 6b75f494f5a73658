'use client';
import { Box, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import type { ReactNode } from 'react';
import type { ComparisonQuery } from '@/lib/api/generated/graphql';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount, formatDurationMs, formatShare } from '@/lib/format/quantity';
import { DefinitionList } from '@/ui/definition-list';
import { Swatch, VariantName } from './deployment-split';

export type ComparedVariant = ComparisonQuery['deployment']['comparison']['variants'][number];
type Row = ComparedVariant & { index: number; total: number };

const times = (p50: number | null, p95: number | null): string =>
  p50 === null || p95 === null ? '–' : `${formatDurationMs(p50)} / ${formatDurationMs(p95)}`;

const Two = ({ first, second }: { first: string; second: string }) => (
  <>
    <div>{first}</div>
    <Text size="xs" c="dimmed" component="div">
      {second}
    </Text>
  </>
);

const Variant = ({ index, target, adapterId, variant }: Row) => (
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
);

interface Figure {
  accessor: string;
  title: string;
  render: (row: Row) => ReactNode;
}

const figure = (accessor: string, title: string, render: Figure['render']): Figure => ({ accessor, title, render });

const figures: Figure[] = [
  figure('requests', 'Requests', ({ requests, total, variant }) => (
    <Two
      first={formatCount(requests)}
      second={`${formatShare(total === 0 ? 0 : requests / total)}${variant ? `, set to ${formatShare(variant.share)}` : ''}`}
    />
  )),
  figure('failedRequests', 'Failed', ({ failedRequests, requests }) => (
    <Two first={formatCount(failedRequests)} second={requests === 0 ? '–' : formatShare(failedRequests / requests)} />
  )),
  figure('tokens', 'Tokens in / out', ({ promptTokens, completionTokens }) => (
    <>
      {formatCount(promptTokens)} / {formatCount(completionTokens)}
    </>
  )),
  figure('amount', 'Amount', ({ amount }) => formatNanoUsd(amount)),
  figure('ttft', 'First token, p50 / p95', ({ ttftMsP50, ttftMsP95 }) => times(ttftMsP50, ttftMsP95)),
  figure('time', 'Total time, p50 / p95', ({ totalMsP50, totalMsP95 }) => times(totalMsP50, totalMsP95)),
];

const columns: DataTableColumn<Row>[] = [
  { accessor: 'target', title: 'Variant', render: (row) => <Variant {...row} /> },
  ...figures.map((one) => ({ ...one, textAlign: 'right', noWrap: true }) as const),
];

const keyOf = ({ target, adapterId }: Row): string => `${target} ${adapterId ?? ''}`;

/** One line per variant; where lines have no room, a block. */
export const ComparisonTable = ({ variants }: { variants: readonly ComparedVariant[] }) => {
  const total = variants.reduce((sum, { requests }) => sum + requests, 0);
  const rows = variants.map((variant, index) => ({ ...variant, index, total }));
  return (
    <>
      <Box visibleFrom="lg">
        <DataTable<Row>
          idAccessor={keyOf}
          records={rows}
          columns={columns}
          backgroundColor="transparent"
          verticalSpacing="xs"
          horizontalSpacing="xs"
        />
      </Box>
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl" p="md" hiddenFrom="lg">
        {rows.map((row) => (
          <Stack key={keyOf(row)} gap="xs" role="group" aria-label={row.target}>
            <Variant {...row} />
            <DefinitionList items={figures.map(({ title, render }) => ({ term: title, value: render(row) }))} />
          </Stack>
        ))}
      </SimpleGrid>
    </>
  );
};
