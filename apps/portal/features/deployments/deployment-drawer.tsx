'use client';
import { Drawer } from '@mantine/core';
import { useState } from 'react';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { askFirst } from '@/ui/confirm';
import { DeploymentForm } from './deployment-form';

interface Props {
  opened: boolean;
  onClose: () => void;
  deployment?: DeploymentFieldsFragment | undefined;
  onSaved: (deployment: DeploymentFieldsFragment) => void;
}

/** The form in a drawer, which asks before it closes over what was filled in. */
export const DeploymentDrawer = ({ opened, onClose, deployment, onSaved }: Props) => {
  const [dirty, setDirty] = useState(false);
  const close = (): void => {
    setDirty(false);
    onClose();
  };
  const askToClose = (): void => {
    if (!dirty) return close();
    askFirst({
      title: deployment ? 'Discard the changes?' : 'Discard this deployment?',
      question: 'Nothing of it has been saved.',
      confirm: 'Discard',
      cancel: 'Go on editing',
      onConfirm: close,
    });
  };
  return (
    <Drawer
      opened={opened}
      onClose={askToClose}
      size="lg"
      title={deployment ? `Edit ${deployment.slug}` : 'New deployment'}
    >
      {opened && (
        <DeploymentForm
          deployment={deployment}
          onDirty={setDirty}
          onCancel={askToClose}
          onSaved={(saved) => {
            close();
            onSaved(saved);
          }}
        />
      )}
    </Drawer>
  );
};
