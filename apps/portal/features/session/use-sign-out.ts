'use client';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { authClient } from '@/lib/api/auth-client';

export const useSignOut = (): (() => Promise<void>) =>
  useCallback(async () => {
    const { error } = await authClient.signOut();
    if (error) {
      notifications.show({
        color: 'red',
        title: 'You are still signed in',
        message: 'The API could not be reached. Try again.',
      });
      return;
    }
    // A full load, so that nothing of this person's stays in the browser's memory.
    window.location.assign('/sign-in');
  }, []);
