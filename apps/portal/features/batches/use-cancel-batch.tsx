import { notifications } from '@mantine/notifications';
import { useCallback } from 'react';
import { CancelBatchDocument } from '@/lib/api/documents/batches';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { askFirst } from '@/ui/confirm';
import { type Batch, nameOf } from './batch-state';

/** Asks first: what has not been answered is not answered any more. */
export const useCancelBatch = (): ((batch: Batch) => void) => {
  const [cancelBatch] = useApiMutation(CancelBatchDocument);
  const run = useCallback(
    async (batch: Batch) => {
      const { error } = await cancelBatch({ input: { batchId: batch.id } });
      if (error) notifications.show({ color: 'red', title: `${nameOf(batch)} was not cancelled`, message: error.message });
      else notifications.show({ color: 'leaf', title: 'Batch is being cancelled', message: 'What was answered until now can be downloaded in a moment.' });
    },
    [cancelBatch],
  );
  return useCallback(
    (batch) =>
      askFirst({
        title: 'Cancel batch',
        question: `Cancel ${nameOf(batch)}? What was answered is kept and charged; the rest is not answered.`,
        confirm: 'Cancel batch',
        cancel: 'Let it run',
        onConfirm: () => void run(batch),
      }),
    [run],
  );
};
