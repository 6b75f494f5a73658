'use client';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { authClient } from '@/lib/api/auth-client';
import { clearDrafts } from './drafts';

/** `to` is where the next person signs in. */
export const useSignOut = (to = '/sign-in'): (() => Promise<void>) =>
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
    clearDrafts();
    window.location.assign(to);
  }, [to]);
