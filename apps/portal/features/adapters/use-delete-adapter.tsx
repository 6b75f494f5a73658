'use client';
import { Code } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { DeleteAdapterDocument } from '@/lib/api/documents/adapters';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { askFirst } from '@/ui/confirm';

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
      askFirst({
        title: 'Delete adapter',
        question: (
          <>
            Delete <Code>{adapter.slug}</Code>? Requests that name it will fail from now on. Its usage stays
            in your reports. This cannot be undone.
          </>
        ),
        confirm: 'Delete adapter',
        cancel: 'Keep it',
        onConfirm: () => void run(adapter),
      }),
    [run],
  );
};
