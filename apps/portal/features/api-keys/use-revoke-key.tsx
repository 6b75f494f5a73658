'use client';
import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { RevokeApiKeyDocument } from '@/lib/api/documents/api-keys';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { askFirst } from '@/ui/confirm';

/** Asks first: whatever signs in with the key is cut off at once. */
export const useRevokeKey = (): ((key: { id: string; name: string }) => void) => {
  const [revokeKey] = useApiMutation(RevokeApiKeyDocument, { types: ['ApiKey'] });
  return useCallback(
    ({ id, name }) => {
      const run = async (): Promise<void> => {
        const { error } = await revokeKey({ input: { apiKeyId: id } });
        notifications.show(
          error
            ? { color: 'red', title: `${name} was not revoked`, message: error.message }
            : { color: 'leaf', title: 'API key revoked', message: `${name} no longer works.` },
        );
      };
      askFirst({
        title: 'Revoke API key',
        question: (
          <>
            Revoke <b>{name}</b>? Programs that use it are refused from the next request on. This cannot be
            undone.
          </>
        ),
        confirm: 'Revoke key',
        cancel: 'Keep it',
        onConfirm: () => void run(),
      });
    },
    [revokeKey],
  );
};
