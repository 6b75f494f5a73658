'use client';
import { Modal } from '@mantine/core';
import { useState } from 'react';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { RotateKeyForm } from './rotate-key-form';
import { SecretView } from './secret-view';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onClose: () => void;
}

export const RotateKeyModal = ({ apiKey, onClose }: Props) => {
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Modal
      opened
      onClose={onClose}
      title={secret ? 'API key rotated' : `Rotate ${apiKey.name}`}
      // A stray click must not close away a secret that is never shown again.
      closeOnClickOutside={!secret}
      closeOnEscape={!secret}
      withCloseButton={!secret}
    >
      {secret ? (
        <SecretView name={apiKey.name} secret={secret} onDone={onClose} />
      ) : (
        <RotateKeyForm apiKey={apiKey} onRotated={setSecret} onCancel={onClose} />
      )}
    </Modal>
  );
};
