'use client';
import { ActionIcon, Group, Stack, Text, VisuallyHidden } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useState, type ReactNode } from 'react';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { paging } from '@/ui/paging';
import { TextLink } from '@/ui/text-link';
import { AuditDetails } from './audit-details';
import { hrefOf, type AuditEvent } from './audit-words';

interface Props {
  rows: AuditEvent[];
  tenantId: string;
  /** Of actions, for people. */
  labels: ReadonlyMap<string, string>;
  fetching: boolean;
  total: number;
  page: number;
  pageSize: number;
  onPage: (page: number) => void;
  empty: ReactNode;
}

const WIDE = '(min-width: 48em)';

const When = ({ createdAt }: AuditEvent) => <span title={formatDateTime(createdAt)}>{formatRelative(createdAt)}</span>;

const What = ({ event, label, tenantId }: { event: AuditEvent; label: string; tenantId: string }) => {
  const { resource, actor } = event;
  const href = hrefOf(resource, tenantId);
  return (
    <Stack gap={0} style={{ overflowWrap: 'anywhere' }}>
      <Text size="sm" fw={500}>
        {label}
      </Text>
      {href ? (
        // Whoever follows the link does not open the row too.
        <span onClick={(click) => click.stopPropagation()}>
          <TextLink href={href} size="sm">
            {resource.label}
          </TextLink>
        </span>
      ) : (
        <Text size="sm" c="dimmed">
          {resource.label}
        </Text>
      )}
      <Text size="xs" c="dimmed" hiddenFrom="sm">
        {actor.name}, <When {...event} />
      </Text>
    </Stack>
  );
};

const Who = ({ actor }: AuditEvent) => (
  <Stack gap={0} style={{ overflowWrap: 'anywhere' }}>
    <Text size="sm">{actor.name}</Text>
    {actor.handle && (
      <Text size="xs" c="dimmed">
        {actor.type === 'API_KEY' ? `API key ${actor.handle}…` : actor.handle}
      </Text>
    )}
  </Stack>
);

/** Newest first. A row opens to what was changed; its button does so for keyboards. */
export const AuditTable = ({ rows, tenantId, labels, fetching, total, page, pageSize, onPage, empty }: Props) => {
  const [opened, setOpened] = useState<string[]>([]);
  const labelOf = ({ action }: AuditEvent): string => labels.get(action) ?? action;
  const toggle = (id: string): void =>
    setOpened((ids) => (ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]));
  const columns: DataTableColumn<AuditEvent>[] = [
    {
      accessor: 'open',
      title: <VisuallyHidden>Details</VisuallyHidden>,
      width: 48,
      render: (event) => (
        <Opener
          opened={opened.includes(event.id)}
          of={`${labelOf(event)}, ${event.resource.label}`}
          onToggle={() => toggle(event.id)}
        />
      ),
    },
    { accessor: 'action', title: 'What', render: (event) => <What event={event} label={labelOf(event)} tenantId={tenantId} /> },
    { accessor: 'actor', title: 'Who', visibleMediaQuery: WIDE, render: (event) => <Who {...event} /> },
    { accessor: 'createdAt', title: 'When', width: 140, visibleMediaQuery: WIDE, render: (event) => <When {...event} /> },
  ];
  return (
    <DataTable<AuditEvent>
      records={rows}
      columns={columns}
      fetching={fetching}
      minHeight={rows.length === 0 ? 320 : 0}
      emptyState={empty}
      highlightOnHover
      verticalAlign="top"
      verticalSpacing="sm"
      horizontalSpacing="xs"
      backgroundColor="transparent"
      rowExpansion={{
        allowMultiple: true,
        expanded: { recordIds: opened, onRecordIdsChange: (ids: unknown) => setOpened(ids as string[]) },
        content: ({ record }) => <AuditDetails event={record} />,
      }}
      {...paging(total, pageSize, page, onPage)}
    />
  );
};

const Opener = ({ opened, of, onToggle }: { opened: boolean; of: string; onToggle: () => void }) => (
  <Group justify="center">
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-expanded={opened}
      aria-label={`Details of ${of}`}
      onClick={(click) => {
        click.stopPropagation();
        onToggle();
      }}
    >
      {opened ? <IconChevronDown size={17} /> : <IconChevronRight size={17} />}
    </ActionIcon>
  </Group>
);
