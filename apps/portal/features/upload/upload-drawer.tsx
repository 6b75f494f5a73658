'use client';
import { Center, Drawer, Loader } from '@mantine/core';
import { useState } from 'react';
import { HubDocument } from '@/lib/api/documents/adapters';
import { useApiQuery } from '@/lib/api/use-api-query';
import { askFirst } from '@/ui/confirm';
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
  question: 'What was sent so far is kept. You can continue from the adapter’s page.',
  confirm: 'Stop for now',
  cancel: 'Keep uploading',
};
const DISCARD = {
  title: 'Discard this upload?',
  question: 'Nothing has been sent yet. What you chose and wrote is not kept.',
  confirm: 'Discard',
  cancel: 'Go on editing',
};

/** The upload in a drawer. Closing it asks first while files are on their way or chosen; afterwards it starts over. */
export const UploadDrawer = ({ opened, onClose, subject }: Props) => {
  const upload = useAdapterUpload();
  const hub = useApiQuery(HubDocument, {});
  const [filled, setFilled] = useState(false);
  const busy = upload.phase.name === 'sending' || upload.phase.name === 'checking';

  const close = (): void => {
    setFilled(false);
    upload.reset();
    onClose();
  };
  const askToClose = (): void => {
    if (!busy && !filled) return close();
    askFirst({ ...(busy ? STOP : DISCARD), onConfirm: close });
  };

  return (
    <Drawer
      opened={opened}
      onClose={askToClose}
      size="lg"
      title={subject ? `Upload ${subject.slug}` : 'Upload adapter'}
    >
      {/* Its form must not change under someone's hands. */}
      {opened && hub.loading && (
        <Center py={64}>
          <Loader />
        </Center>
      )}
      {opened && !hub.loading && (
        <UploadFlow
          upload={upload}
          hubUrl={hub.data?.hubUrl ?? null}
          subject={subject}
          onFilled={setFilled}
          onClose={close}
          onCancel={askToClose}
        />
      )}
    </Drawer>
  );
};
