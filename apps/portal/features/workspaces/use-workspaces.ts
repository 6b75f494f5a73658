'use client';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { authErrorMessage } from '@/features/session/auth-error';
import { authClient } from '@/lib/api/auth-client';

export interface Workspace {
  id: string;
  name: string;
}

/** Everything the signed-in person is a member of, and the way from one to another. */
export const useWorkspaces = (): { workspaces: Workspace[]; enter: (workspace: Workspace) => Promise<void> } => {
  const { data } = authClient.useListOrganizations();
  const enter = useCallback(async ({ id, name }: Workspace) => {
    const { error } = await authClient.organization.setActive({ organizationId: id });
    if (error) {
      notifications.show({ color: 'red', title: `${name} was not opened`, message: authErrorMessage(error) });
      return;
    }
    // A full load, so that nothing of the other workspace stays in the browser's memory.
    window.location.assign('/');
  }, []);
  return { workspaces: data ?? [], enter };
};
