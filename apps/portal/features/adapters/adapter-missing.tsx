'use client';
import { Paper } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconStackPop } from '@tabler/icons-react';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';

export const AdapterMissing = ({ code, message, onRetry }: { code: string; message: string; onRetry: () => void }) =>
  code === 'NOT_FOUND' || code === 'BAD_USER_INPUT' ? (
    <NoSuchAdapter />
  ) : (
    <ErrorState message={message} onRetry={onRetry} />
  );

const NoSuchAdapter = () => {
  useDocumentTitle('Adapter not found · Aril');
  return (
    <Paper>
      <EmptyState icon={<IconStackPop />} title="There is no such adapter" order={1}>
        It may have been deleted, or belong to another workspace.
      </EmptyState>
    </Paper>
  );
};
