'use client';
import { Code } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { DeleteDeploymentDocument } from '@/lib/api/documents/deployments';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { askFirst } from '@/ui/confirm';

interface Deletable {
  id: string;
  slug: string;
}

/** Asks first: what calls the deployment by its slug fails from then on. */
export const useDeleteDeployment = (onDeleted?: () => void): ((deployment: Deletable) => void) => {
  const [deleteDeployment] = useApiMutation(DeleteDeploymentDocument, { types: ['Deployment'] });
  const run = useCallback(
    async ({ id, slug }: Deletable) => {
      const { error } = await deleteDeployment({ input: { deploymentId: id } });
      if (error) {
        notifications.show({ color: 'red', title: `${slug} was not deleted`, message: error.message });
        return;
      }
      notifications.show({ color: 'leaf', title: 'Deployment deleted', message: `${slug} can no longer be called.` });
      onDeleted?.();
    },
    [deleteDeployment, onDeleted],
  );
  return useCallback(
    (deployment) =>
      askFirst({
        title: 'Delete deployment',
        question: (
          <>
            Delete <Code>{deployment.slug}</Code>? Requests that name it will fail from now on. Its adapters
            stay, and so does its usage in your reports. This cannot be undone.
          </>
        ),
        confirm: 'Delete deployment',
        cancel: 'Keep it',
        onConfirm: () => void run(deployment),
      }),
    [run],
  );
};
