'use client';
import { ActionIcon, Group, Stack, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconMessages, IconTrash } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import type { ReactNode } from 'react';
import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBytes } from '@/lib/format/quantity';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { paging } from '@/ui/paging';
import { TextLink } from '@/ui/text-link';
import { formatRank, formatTargets } from './adapter-facts';
import { AdapterStatusBadge } from './adapter-status';

type Row = AdapterListFieldsFragment;

interface Props {
  rows: Row[];
  fetching: boolean;
  total: number;
  page: number;
  pageSize: number;
  onPage: (page: number) => void;
  onDelete: (row: Row) => void;
  empty: ReactNode;
}

const Name = ({ id, slug, name }: Row) => (
  // A long word breaks rather than push the actions out of the table.
  <Stack gap={0} miw="8rem" style={{ overflowWrap: 'anywhere' }}>
    <TextLink href={`/adapters/${id}`} fw={600} size="sm">
      {slug}
    </TextLink>
    {name !== slug && (
      <Text size="xs" c="dimmed" lineClamp={1}>
        {name}
      </Text>
    )}
  </Stack>
);

const columns: DataTableColumn<Row>[] = [
  { accessor: 'slug', title: 'Adapter', render: (row) => <Name {...row} /> },
  {
    accessor: 'status',
    title: 'Status',
    width: 110,
    render: ({ status }) => <AdapterStatusBadge status={status} />,
  },
  { accessor: 'baseModel.name', title: 'Base model', visibleMediaQuery: '(min-width: 62em)' },
  {
    accessor: 'rank',
    title: 'Rank',
    width: 70,
    visibleMediaQuery: '(min-width: 48em)',
    textAlign: 'right',
    render: ({ summary }) => (summary ? formatRank(summary) : '–'),
  },
  {
    accessor: 'targets',
    title: 'Targets',
    visibleMediaQuery: '(min-width: 75em)',
    render: ({ summary }) => (
      <Text size="xs" c="dimmed" ff="monospace" lineClamp={1}>
        {summary ? formatTargets(summary.targetModules) : '–'}
      </Text>
    ),
  },
  {
    accessor: 'bytes',
    title: 'Size',
    width: 95,
    visibleMediaQuery: '(min-width: 30em)',
    textAlign: 'right',
    render: ({ bytes }) => formatBytes(bytes),
  },
  {
    accessor: 'lastUsedAt',
    title: 'Last used',
    width: 130,
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ lastUsedAt }) =>
      lastUsedAt ? (
        <span title={formatDateTime(lastUsedAt)}>{formatRelative(lastUsedAt)}</span>
      ) : (
        <Text size="sm" c="dimmed">
          never
        </Text>
      ),
  },
];

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

export const AdapterTable = ({ rows, fetching, total, page, pageSize, onPage, onDelete, empty }: Props) => {
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
      onRowClick={({ record }) => router.push(`/adapters/${record.id}`)}
      {...paging(total, pageSize, page, onPage)}
    />
  );
};
