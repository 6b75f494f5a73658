'use client';
import { Button, Group, Paper, SegmentedControl } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconSearch, IconStack2, IconUpload } from '@tabler/icons-react';
import { UploadDrawer } from '@/features/upload/upload-drawer';
import type { AdapterStatus } from '@/lib/api/generated/graphql';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { AdapterTable } from './adapter-table';
import { SearchField } from './search-field';
import { PAGE_SIZE, useAdapters } from './use-adapters';
import { useDeleteAdapter } from './use-delete-adapter';
import { useListView } from './use-list-view';

const FILTERS = [
  { value: 'ALL', label: 'All' },
  { value: 'READY', label: 'Ready' },
  { value: 'UPLOADING', label: 'Uploading' },
  { value: 'REFUSED', label: 'Refused' },
];

export const AdaptersPage = () => {
  const [view, show] = useListView();
  const { connection, error, loading, reload, page } = useAdapters(view);
  const [uploading, upload] = useDisclosure(false);
  const deleteAdapter = useDeleteAdapter();
  const filtered = view.search !== '' || view.status !== null;

  const uploadButton = (
    <Button leftSection={<IconUpload size={16} />} onClick={upload.open}>
      Upload adapter
    </Button>
  );
  const empty = filtered ? (
    <EmptyState icon={<IconSearch />} title="No adapter matches">
      Try another word, or show all adapters.
    </EmptyState>
  ) : (
    <EmptyState icon={<IconStack2 />} title="No adapters yet" action={uploadButton}>
      Upload the two files PEFT writes when it saves a LoRA adapter. It can be called as soon as it is
      checked.
    </EmptyState>
  );

  return (
    <>
      <PageHeader
        title="Adapters"
        description="Your fine-tunes. Each is called by its slug."
        actions={uploadButton}
      />
      <Group mb="md" gap="sm">
        <SearchField label="Search adapters" value={view.search} onSearch={(search) => show({ search })} />
        <SegmentedControl
          data={FILTERS}
          value={view.status ?? 'ALL'}
          onChange={(value) => show({ status: value === 'ALL' ? null : (value as AdapterStatus) })}
          aria-label="Filter by status"
        />
      </Group>
      {error && !connection ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Paper style={{ overflow: 'hidden' }}>
          <AdapterTable
            rows={connection?.nodes ?? []}
            fetching={loading}
            total={connection?.totalCount ?? 0}
            page={page}
            pageSize={PAGE_SIZE}
            onPage={(wanted) => show({ page: wanted })}
            order={view.order}
            onOrder={(order) => show({ order })}
            onDelete={deleteAdapter}
            empty={loading ? <span /> : empty}
          />
        </Paper>
      )}
      <UploadDrawer opened={uploading} onClose={upload.close} />
    </>
  );
};
