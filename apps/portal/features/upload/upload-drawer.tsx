'use client';
import { Drawer } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useState } from 'react';
import { UploadFlow, type UploadSubject } from './upload-flow';
import { useAdapterUpload } from './use-adapter-upload';

interface Props {
  opened: boolean;
  onClose: () => void;
  /** An adapter to go on with (its upload was interrupted) or to send again (it was refused). */
  subject?: UploadSubject | undefined;
}

const STOP = {
  title: 'Stop the upload?',
  children: 'What was sent so far is kept. You can continue from the adapter’s page.',
  labels: { confirm: 'Stop for now', cancel: 'Keep uploading' },
};
const DISCARD = {
  title: 'Discard this upload?',
  children: 'Nothing has been sent yet. What you chose and wrote is not kept.',
  labels: { confirm: 'Discard', cancel: 'Go on editing' },
};

/** The upload in a drawer. Closing it asks first while files are on their way or chosen; afterwards it starts over. */
export const UploadDrawer = ({ opened, onClose, subject }: Props) => {
  const upload = useAdapterUpload();
  const [filled, setFilled] = useState(false);
  const busy = upload.phase.name === 'sending' || upload.phase.name === 'checking';

  const close = (): void => {
    setFilled(false);
    upload.reset();
    onClose();
  };
  const askToClose = (): void => {
    if (!busy && !filled) return close();
    modals.openConfirmModal({ ...(busy ? STOP : DISCARD), onConfirm: close });
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
      {opened && <UploadFlow upload={upload} subject={subject} onFilled={setFilled} onClose={close} />}
    </Drawer>
  );
};
