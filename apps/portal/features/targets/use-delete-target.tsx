'use client';
import { Code } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import type { ApiError } from '@/lib/api/api-error';
import { askFirst } from '@/ui/confirm';
import { KeysHeldTo } from './keys-held-to';

export interface Deletable {
  id: string;
  slug: string;
}

interface Deletion {
  noun: 'adapter' | 'deployment';
  /** What is not deleted with it. */
  stays: string;
  remove: (id: string) => Promise<{ error?: ApiError | undefined }>;
  onDeleted?: (() => void) | undefined;
}

/** Asks first: what calls the target by its slug fails from then on. */
export const useDeleteTarget = ({ noun, stays, remove, onDeleted }: Deletion): ((target: Deletable) => void) => {
  const run = useCallback(
    async ({ id, slug }: Deletable) => {
      const { error } = await remove(id);
      if (error) {
        notifications.show({ color: 'red', title: `${slug} was not deleted`, message: error.message });
        return;
      }
      const title = `${noun === 'adapter' ? 'Adapter' : 'Deployment'} deleted`;
      notifications.show({ color: 'leaf', title, message: `${slug} can no longer be called.` });
      onDeleted?.();
    },
    [noun, remove, onDeleted],
  );
  return useCallback(
    (target) =>
      askFirst({
        title: `Delete ${noun}`,
        question: (
          <>
            Delete <Code>{target.slug}</Code>? Requests that name it will fail from now on. {stays} This cannot be
            undone.
            <KeysHeldTo targetId={target.id} />
          </>
        ),
        confirm: `Delete ${noun}`,
        cancel: 'Keep it',
        onConfirm: () => void run(target),
      }),
    [noun, stays, run],
  );
};
