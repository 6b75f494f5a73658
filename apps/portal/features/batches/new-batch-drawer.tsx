import { Drawer } from '@mantine/core';
import type { Batch } from './batch-state';
import { NewBatchForm } from './new-batch-form';

interface Props {
  opened: boolean;
  onClose: () => void;
  onStarted: (batch: Batch) => void;
}

export const NewBatchDrawer = ({ opened, onClose, onStarted }: Props) => (
  <Drawer opened={opened} onClose={onClose} size="lg" title="New batch">
    {opened && (
      <NewBatchForm
        onCancel={onClose}
        onStarted={(batch) => {
          onClose();
          onStarted(batch);
        }}
      />
    )}
  </Drawer>
);
