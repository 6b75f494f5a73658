'use client';
import { ActionIcon, Group, Stack, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconMessages, IconTrash } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import type { ReactNode } from 'react';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { formatShare } from '@/lib/format/quantity';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { paging } from '@/ui/paging';
import { TextLink } from '@/ui/text-link';
import { SplitBar } from './split-bar';

type Row = DeploymentFieldsFragment;

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

const Split = ({ variants }: Row) => (
  <Stack gap={6} miw="6rem">
    <SplitBar parts={variants} size="sm" />
    <Text size="xs" c="dimmed" lineClamp={2} style={{ overflowWrap: 'anywhere' }}>
      {variants.map(({ target, share }) => `${target} ${formatShare(share)}`).join(' · ')}
    </Text>
  </Stack>
);

const columns: DataTableColumn<Row>[] = [
  {
    accessor: 'slug',
    title: 'Deployment',
    render: ({ id, slug, name }) => (
      <Stack gap={0} miw="5rem" style={{ overflowWrap: 'anywhere' }}>
        <TextLink href={`/deployments/${id}`} fw={600} size="sm">
          {slug}
        </TextLink>
        {name !== slug && (
          <Text size="xs" c="dimmed" lineClamp={1}>
            {name}
          </Text>
        )}
      </Stack>
    ),
  },
  { accessor: 'variants', title: 'Split', width: '45%', render: (row) => <Split {...row} /> },
  { accessor: 'baseModel.name', title: 'Base model', visibleMediaQuery: '(min-width: 75em)' },
  {
    accessor: 'updatedAt',
    title: 'Changed',
    width: 130,
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ updatedAt }) => <span title={formatDateTime(updatedAt)}>{formatRelative(updatedAt)}</span>,
  },
];

const RowActions = ({ row, onDelete }: { row: Row; onDelete: (row: Row) => void }) => (
  <Group gap={2} justify="flex-end" wrap="nowrap" onClick={(event) => event.stopPropagation()}>
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
    <Tooltip label="Delete" withArrow>
      <ActionIcon variant="subtle" color="red" aria-label={`Delete ${row.slug}`} onClick={() => onDelete(row)}>
        <IconTrash size={17} />
      </ActionIcon>
    </Tooltip>
  </Group>
);

export const DeploymentTable = ({ rows, fetching, total, page, pageSize, onPage, onDelete, empty }: Props) => {
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
      onRowClick={({ record }) => router.push(`/deployments/${record.id}`)}
      {...paging(total, pageSize, page, onPage)}
    />
  );
};
