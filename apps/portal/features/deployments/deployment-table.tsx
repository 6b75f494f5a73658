'use client';
import { Stack, Text } from '@mantine/core';
import type { DataTableColumn } from 'mantine-datatable';
import { TargetTable, type TargetPage } from '@/features/targets/target-table';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { formatShare } from '@/lib/format/quantity';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { TextLink } from '@/ui/text-link';
import { SplitBar } from './split-bar';

type Row = DeploymentFieldsFragment;

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

export const DeploymentTable = (page: TargetPage<Row>) => <TargetTable {...page} columns={columns} path="/deployments" />;
