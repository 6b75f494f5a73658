'use client';
import { Modal } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { AuthFailure } from '@/features/session/auth-error';
import { authClient } from '@/lib/api/auth-client';
import { PasswordCheck } from './password-check';

interface Props {
  opened: boolean;
  onClose: () => void;
}

export const TurnOffModal = ({ opened, onClose }: Props) => {
  const turnOff = async (password: string): Promise<AuthFailure | null> => {
    const { error } = await authClient.twoFactor.disable({ password });
    if (error) return error;
    notifications.show({ color: 'leaf', title: 'Second factor', message: 'It is turned off.' });
    onClose();
    return null;
  };
  return (
    <Modal opened={opened} onClose={onClose} title="Turn off the second factor">
      <PasswordCheck
        title="Turn off the second factor"
        explanation="Signing in will ask for your password alone, and your backup codes are void."
        submit="Turn off"
        onSubmit={turnOff}
        onCancel={onClose}
      />
    </Modal>
  );
};
