'use client';
import { Badge, Button, Code, Paper, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import { useState } from 'react';
import { useManages } from '@/features/session/use-manages';
import { ApiKeysDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatNanoUsd } from '@/lib/format/money';
import { formatDate, formatDateTime, formatRelative } from '@/lib/format/time';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { CreateKeyModal } from './create-key-modal';
import { KeyActions, type KeyDialog } from './key-actions';
import { KeyLimits } from './key-limits';
import { KeyLimitsModal } from './key-limits-modal';
import { permissionsInWords } from './permissions';
import { PermissionsModal } from './permissions-modal';
import { PreviousSecretNote } from './previous-secret';
import { targetsInWords } from './targets';
import { TargetsModal } from './targets-modal';
import { RotateKeyModal } from './rotate-key-modal';
import { useRevokeKey } from './use-revoke-key';

type Row = ApiKeysQuery['tenant']['apiKeys'][number];

const Expiry = ({ expiresAt }: Pick<Row, 'expiresAt'>) => {
  if (!expiresAt)
    return (
      <Text size="sm" c="dimmed">
        never
      </Text>
    );
  if (new Date(expiresAt) <= new Date())
    return (
      <Badge color="red" variant="light" radius="sm" tt="none">
        Expired
      </Badge>
    );
  return <span title={formatDateTime(expiresAt)}>{formatRelative(expiresAt)}</span>;
};

const columns: DataTableColumn<Row>[] = [
  {
    accessor: 'name',
    title: 'Name',
    render: ({ name, previousSecret }) => (
      <>
        {/* A long name takes more lines, so that "Revoke" stays in sight. */}
        <Text size="sm" fw={600} miw="7rem" style={{ overflowWrap: 'anywhere' }}>
          {name}
        </Text>
        {previousSecret && <PreviousSecretNote {...previousSecret} />}
      </>
    ),
  },
  {
    accessor: 'prefix',
    title: 'Key',
    visibleMediaQuery: '(min-width: 30em)',
    render: ({ prefix }) => <Code>{prefix}…</Code>,
  },
  {
    accessor: 'createdAt',
    title: 'Created',
    noWrap: true,
    visibleMediaQuery: '(min-width: 88em)',
    render: ({ createdAt }) => formatDate(createdAt),
  },
  {
    accessor: 'lastUsedAt',
    title: 'Last used',
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ lastUsedAt }) =>
      lastUsedAt ? (
        formatRelative(lastUsedAt)
      ) : (
        <Text size="sm" c="dimmed">
          never
        </Text>
      ),
  },
  { accessor: 'expiresAt', title: 'Expires', render: (row) => <Expiry {...row} /> },
  {
    accessor: 'permissions',
    title: 'Permissions',
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ permissions }) => <Text size="sm">{permissionsInWords(permissions)}</Text>,
  },
  {
    accessor: 'targets',
    title: 'Targets',
    visibleMediaQuery: '(min-width: 62em)',
    render: ({ targets }) => (
      <Text size="sm" miw="9rem" {...(targets === null ? { c: 'dimmed' } : {})} style={{ overflowWrap: 'anywhere' }}>
        {targetsInWords(targets)}
      </Text>
    ),
  },
  {
    accessor: 'limits',
    title: 'Limits',
    visibleMediaQuery: '(min-width: 62em)',
    render: (row) => <KeyLimits {...row} />,
  },
  {
    accessor: 'budget',
    title: 'This month',
    noWrap: true,
    textAlign: 'right',
    visibleMediaQuery: '(min-width: 48em)',
    render: ({ budget }) => <span className="tabular">{formatNanoUsd(budget.spent)}</span>,
  },
];

export const ApiKeysPage = () => {
  const { data, error, loading, reload } = useApiQuery(ApiKeysDocument, {}, { types: ['ApiKey'] });
  const [creating, create] = useDisclosure(false);
  const [opened, setOpened] = useState<{ row: Row; dialog: KeyDialog } | null>(null);
  const close = (): void => setOpened(null);
  const manages = useManages();
  const revoke = useRevokeKey();
  const keys = data?.tenant.apiKeys ?? [];
  const createButton = manages && (
    <Button leftSection={<IconPlus size={16} />} onClick={create.open}>
      Create API key
    </Button>
  );
  const actions: DataTableColumn<Row> = {
    accessor: 'actions',
    title: <VisuallyHidden>Actions</VisuallyHidden>,
    textAlign: 'right',
    render: (row) => (
      <KeyActions
        name={row.name}
        onOpen={(dialog) => setOpened({ row, dialog })}
        onRevoke={() => revoke(row)}
      />
    ),
  };
  return (
    <>
      <PageHeader
        title="API keys"
        description={
          manages
            ? 'Programs sign in with a key. Each key acts for the workspace; give every program its own.'
            : 'Programs sign in with a key. Owners and admins of the workspace make, change and revoke them.'
        }
        actions={createButton}
      />
      {error && !data ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Paper style={{ overflow: 'hidden' }}>
          <DataTable<Row>
            records={keys}
            columns={manages ? [...columns, actions] : columns}
            fetching={loading}
            minHeight={keys.length === 0 ? 280 : 0}
            verticalSpacing="sm"
            backgroundColor="transparent"
            emptyState={
              loading ? (
                <span />
              ) : (
                <EmptyState icon={<IconKey />} title="No API keys yet" action={createButton}>
                  With a key, any OpenAI client can call your adapters.
                  {!manages && ' Ask an owner or an admin of the workspace for one.'}
                </EmptyState>
              )
            }
          />
        </Paper>
      )}
      <CreateKeyModal opened={creating} onClose={create.close} />
      {opened?.dialog === 'limits' && <KeyLimitsModal apiKey={opened.row} onClose={close} />}
      {opened?.dialog === 'permissions' && <PermissionsModal apiKey={opened.row} onClose={close} />}
      {opened?.dialog === 'targets' && <TargetsModal apiKey={opened.row} onClose={close} />}
      {opened?.dialog === 'rotate' && <RotateKeyModal apiKey={opened.row} onClose={close} />}
    </>
  );
};
