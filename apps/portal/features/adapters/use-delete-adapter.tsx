'use client';
import { Code, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { DeleteAdapterDocument } from '@/lib/api/documents/adapters';
import { useApiMutation } from '@/lib/api/use-api-mutation';

interface Deletable {
  id: string;
  slug: string;
}

/** Asks first: what calls the adapter by its slug fails from then on. */
export const useDeleteAdapter = (onDeleted?: () => void): ((adapter: Deletable) => void) => {
  const [deleteAdapter] = useApiMutation(DeleteAdapterDocument, { types: ['Adapter'] });
  const run = useCallback(
    async ({ id, slug }: Deletable) => {
      const { error } = await deleteAdapter({ input: { adapterId: id } });
      if (error) {
        notifications.show({ color: 'red', title: `${slug} was not deleted`, message: error.message });
        return;
      }
      notifications.show({
        color: 'leaf',
        title: 'Adapter deleted',
        message: `${slug} can no longer be called.`,
      });
      onDeleted?.();
    },
    [deleteAdapter, onDeleted],
  );
  return useCallback(
    (adapter) =>
      modals.openConfirmModal({
        title: 'Delete adapter',
        children: (
          <Text size="sm">
            Delete <Code>{adapter.slug}</Code>? Requests that name it will fail from now on. Its usage stays
            in your reports. This cannot be undone.
          </Text>
        ),
        labels: { confirm: 'Delete adapter', cancel: 'Keep it' },
        confirmProps: { color: 'red' },
        onConfirm: () => void run(adapter),
      }),
    [run],
  );
};
