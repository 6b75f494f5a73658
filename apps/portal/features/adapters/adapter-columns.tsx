import { Stack, Text } from '@mantine/core';
import type { DataTableColumn } from 'mantine-datatable';
import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBytes } from '@/lib/format/quantity';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { TextLink } from '@/ui/text-link';
import { formatRank, formatTargets } from './adapter-facts';
import { AdapterStatusBadge } from './adapter-status';

type Row = AdapterListFieldsFragment;

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

export const columns: DataTableColumn<Row>[] = [
  { accessor: 'name', title: 'Adapter', sortable: true, render: (row) => <Name {...row} /> },
  {
    accessor: 'status',
    title: 'Status',
    width: 110,
    render: (row) => <AdapterStatusBadge adapter={row} />,
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
    visibleMediaQuery: '(min-width: 88em)',
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
    accessor: 'createdAt',
    title: 'Created',
    sortable: true,
    width: 140,
    visibleMediaQuery: '(min-width: 62em)',
    render: ({ createdAt }) => <span title={formatDateTime(createdAt)}>{formatRelative(createdAt)}</span>,
  },
  {
    accessor: 'lastUsedAt',
    title: 'Last used',
    sortable: true,
    width: 140,
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
