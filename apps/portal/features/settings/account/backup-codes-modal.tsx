'use client';
import { Modal } from '@mantine/core';
import { useState } from 'react';
import type { AuthFailure } from '@/features/session/auth-error';
import { authClient } from '@/lib/api/auth-client';
import { BackupCodes } from './backup-codes';
import { PasswordCheck } from './password-check';

interface Props {
  opened: boolean;
  onClose: () => void;
}

export const BackupCodesModal = ({ opened, onClose }: Props) => (
  <Modal opened={opened} onClose={onClose} title="New backup codes">
    <NewCodes onClose={onClose} />
  </Modal>
);

const NewCodes = ({ onClose }: { onClose: () => void }) => {
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const renew = async (password: string): Promise<AuthFailure | null> => {
    const { data, error } = await authClient.twoFactor.generateBackupCodes({ password });
    if (data) setCodes(data.backupCodes);
    return error;
  };
  if (codes) return <BackupCodes codes={codes} onDone={onClose} />;
  return (
    <PasswordCheck
      title="New backup codes"
      explanation="Those you have are void then, used or not."
      submit="Make new codes"
      onSubmit={renew}
      onCancel={onClose}
    />
  );
};
