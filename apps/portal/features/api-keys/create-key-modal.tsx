'use client';
import { Modal } from '@mantine/core';
import { useState } from 'react';
import { CreateKeyForm } from './create-key-form';
import { SecretView } from './secret-view';

export const CreateKeyModal = ({ opened, onClose }: { opened: boolean; onClose: () => void }) => {
  const [created, setCreated] = useState<{ name: string; secret: string } | null>(null);
  const close = (): void => {
    setCreated(null);
    onClose();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={created ? 'API key created' : 'Create API key'}
      // A stray click must not close away a secret that is never shown again.
      closeOnClickOutside={!created}
      closeOnEscape={!created}
      withCloseButton={!created}
    >
      {created ? (
        <SecretView {...created} onDone={close} />
      ) : (
        <CreateKeyForm onCreated={(name, secret) => setCreated({ name, secret })} onCancel={close} />
      )}
    </Modal>
  );
};
