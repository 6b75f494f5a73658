'use client';
import { Drawer } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useState } from 'react';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
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
    modals.openConfirmModal({
      title: deployment ? 'Discard the changes?' : 'Discard this deployment?',
      children: 'Nothing of it has been saved.',
      labels: { confirm: 'Discard', cancel: 'Go on editing' },
      onConfirm: close,
    });
  };
  return (
    <Drawer
      opened={opened}
      onClose={askToClose}
      position="right"
      size="lg"
      title={deployment ? `Edit ${deployment.slug}` : 'New deployment'}
      closeButtonProps={{ 'aria-label': 'Close' }}
      styles={{ title: { fontWeight: 650, fontSize: '1.125rem' } }}
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
