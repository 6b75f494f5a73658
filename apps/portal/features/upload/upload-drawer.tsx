'use client';
import { Drawer } from '@mantine/core';
import { modals } from '@mantine/modals';
import { UploadFlow, type UploadSubject } from './upload-flow';
import { useAdapterUpload } from './use-adapter-upload';

interface Props {
  opened: boolean;
  onClose: () => void;
  /** An adapter to go on with (its upload was interrupted) or to send again (it was refused). */
  subject?: UploadSubject | undefined;
}

/** The upload in a drawer. Closing it while files are on their way asks first; afterwards it starts over. */
export const UploadDrawer = ({ opened, onClose, subject }: Props) => {
  const upload = useAdapterUpload();
  const busy = upload.phase.name === 'sending' || upload.phase.name === 'checking';

  const close = (): void => {
    upload.reset();
    onClose();
  };
  const askToClose = (): void => {
    if (!busy) return close();
    modals.openConfirmModal({
      title: 'Stop the upload?',
      children: 'What was sent so far is kept. You can continue from the adapter’s page.',
      labels: { confirm: 'Stop for now', cancel: 'Keep uploading' },
      onConfirm: close,
    });
  };

  return (
    <Drawer
      opened={opened}
      onClose={askToClose}
      position="right"
      size="lg"
      title={subject ? `Upload ${subject.slug}` : 'Upload adapter'}
      closeButtonProps={{ 'aria-label': 'Close' }}
      styles={{ title: { fontWeight: 650, fontSize: '1.125rem' } }}
    >
      {opened && <UploadFlow upload={upload} subject={subject} onClose={close} />}
    </Drawer>
  );
};
