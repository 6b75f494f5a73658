'use client';
import { Button, Group, Paper } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconArrowsSplit2, IconPlus, IconSearch } from '@tabler/icons-react';
import { useRouter } from 'next/navigation';
import { SearchField } from '@/features/adapters/search-field';
import { useListView } from '@/features/adapters/use-list-view';
import { DeploymentsDocument } from '@/lib/api/documents/deployments';
import { useCursorPage } from '@/lib/api/use-cursor-page';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { DeploymentDrawer } from './deployment-drawer';
import { DeploymentTable } from './deployment-table';
import { useDeleteDeployment } from './use-delete-deployment';

const PAGE_SIZE = 15;

export const DeploymentsPage = () => {
  const router = useRouter();
  const [view, show] = useListView();
  const { connection, error, loading, reload, page } = useCursorPage(DeploymentsDocument, {
    filter: { search: view.search || null },
    page: view.page,
    pageSize: PAGE_SIZE,
    types: ['Deployment'],
    connectionOf: (data) => data.tenant.deployments,
  });
  const [making, drawer] = useDisclosure(false);
  const deleteDeployment = useDeleteDeployment();

  const newButton = (
    <Button leftSection={<IconPlus size={16} />} onClick={drawer.open}>
      New deployment
    </Button>
  );
  const empty = view.search ? (
    <EmptyState icon={<IconSearch />} title="No deployment matches">
      Try another word.
    </EmptyState>
  ) : (
    <EmptyState icon={<IconArrowsSplit2 />} title="No deployments yet" action={newButton}>
      One name that splits its requests between adapters by weight. Clients keep calling it while you compare
      adapters, or put a new version in the place of an old one.
    </EmptyState>
  );

  return (
    <>
      <PageHeader
        title="Deployments"
        description="One name, several adapters: split requests by weight and compare how the variants do."
        actions={newButton}
      />
      <Group mb="md">
        <SearchField label="Search deployments" value={view.search} onSearch={(search) => show({ search })} />
      </Group>
      {error && !connection ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Paper style={{ overflow: 'hidden' }}>
          <DeploymentTable
            rows={connection?.nodes ?? []}
            fetching={loading}
            total={connection?.totalCount ?? 0}
            page={page}
            pageSize={PAGE_SIZE}
            onPage={(wanted) => show({ page: wanted })}
            onDelete={deleteDeployment}
            empty={loading ? <span /> : empty}
          />
        </Paper>
      )}
      <DeploymentDrawer opened={making} onClose={drawer.close} onSaved={({ id }) => router.push(`/deployments/${id}`)} />
    </>
  );
};
