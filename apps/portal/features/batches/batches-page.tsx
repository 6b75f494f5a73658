'use client';
import { Button, Paper } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus, IconStackPush } from '@tabler/icons-react';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import { BatchesDocument } from '@/lib/api/documents/batches';
import { useCursorPage } from '@/lib/api/use-cursor-page';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { isOpen } from './batch-state';
import { BatchTable } from './batch-table';
import { NewBatchDrawer } from './new-batch-drawer';
import { useRefresh } from './use-refresh';

const PAGE_SIZE = 15;

export const BatchesPage = () => {
  const router = useRouter();
  const [wanted, setWanted] = useState(1);
  const { connection, error, loading, reload, page } = useCursorPage(BatchesDocument, {
    filter: {},
    page: wanted,
    pageSize: PAGE_SIZE,
    types: ['Batch'],
    connectionOf: (data) => data.tenant.batches,
  });
  const [making, drawer] = useDisclosure(false);
  useRefresh(connection?.nodes.some(isOpen) ?? false, reload);

  const newButton = (
    <Button leftSection={<IconPlus size={16} />} onClick={drawer.open}>
      New batch
    </Button>
  );
  const empty = (
    <EmptyState icon={<IconStackPush />} title="No batches yet" action={newButton}>
      Thousands of requests in one file, to any of your adapters. They are answered within 24 hours, after everything
      that somebody waits for, and the answers come as a file.
    </EmptyState>
  );

  return (
    <>
      <PageHeader title="Batches" description="Files of requests that are answered at low priority, within 24 hours." actions={newButton} />
      {error && !connection ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Paper style={{ overflow: 'hidden' }}>
          <BatchTable
            rows={connection?.nodes ?? []}
            fetching={loading}
            total={connection?.totalCount ?? 0}
            page={page}
            pageSize={PAGE_SIZE}
            onPage={setWanted}
            empty={loading ? <span /> : empty}
          />
        </Paper>
      )}
      <NewBatchDrawer opened={making} onClose={drawer.close} onStarted={({ id }) => router.push(`/batches/${id}`)} />
    </>
  );
};
