'use client';
import { Center, Loader, Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';
import { ErrorState } from '@/ui/error-state';
import type { ChosenFiles } from './chosen-files';
import { ContinueForm } from './continue-form';
import { draftOf, isFilled } from './draft';
import { NewAdapterWays } from './new-adapter-ways';
import { NewAdapterForm } from './new-adapter-form';
import { TransferProgress } from './transfer-progress';
import { UploadResult } from './upload-result';
import type { useAdapterUpload } from './use-adapter-upload';

export interface UploadSubject {
  id: string;
  slug: string;
  name: string;
  description: string;
  baseModelId: string;
  /** `continue`: the API waits for the rest of the files. `replace`: the adapter is to be sent anew. */
  mode: 'continue' | 'replace';
  files: { name: string; bytes: number; received: number }[];
  /** Of one that was imported. */
  source: AdapterListFieldsFragment['source'];
}

interface Props {
  upload: ReturnType<typeof useAdapterUpload>;
  /** Where adapters can be imported from; null: nowhere. */
  hubUrl: string | null;
  subject?: UploadSubject | undefined;
  /** Told whether closing now would lose what was filled in. */
  onFilled: (filled: boolean) => void;
  onClose: () => void;
  /** Asks first where something would be lost. */
  onCancel: () => void;
}

export const UploadFlow = ({ upload, hubUrl, subject, onFilled, onClose, onCancel }: Props) => {
  const { phase } = upload;
  // Kept across phases, so that a refused adapter can be corrected without choosing everything again.
  const [files, setFiles] = useState<ChosenFiles>({});
  const [draft, setDraft] = useState(() => draftOf(subject));
  const [importFilled, setImportFilled] = useState(false);
  const filled = phase.name === 'choosing' && (isFilled(draft, files, subject) || importFilled);
  useEffect(() => onFilled(filled), [onFilled, filled]);

  switch (phase.name) {
    case 'choosing':
      return subject?.mode === 'continue' ? (
        <ContinueForm
          subject={subject}
          files={files}
          onFiles={setFiles}
          onCancel={onCancel}
          onSend={() => upload.send(subject.id, subject.slug, files)}
        />
      ) : (
        <NewAdapterWays hubUrl={hubUrl} subject={subject} onFilled={setImportFilled} onClose={onClose} onCancel={onCancel}>
          <NewAdapterForm
            draft={draft}
            onDraft={setDraft}
            slugFixed={subject !== undefined}
            files={files}
            onFiles={setFiles}
            onBegin={upload.begin}
            onCancel={onCancel}
          />
        </NewAdapterWays>
      );
    case 'sending':
      return (
        <TransferProgress
          upload={upload}
          slug={phase.slug}
          onCancel={() => void upload.cancel().then(onClose)}
        />
      );
    case 'checking':
      return (
        <Center py={64}>
          <Stack align="center" gap="sm" role="status">
            <Loader />
            <Text fw={600}>Checking {phase.slug}</Text>
            <Text size="sm" c="dimmed" ta="center">
              Config and tensors are compared with the base model.
            </Text>
          </Stack>
        </Center>
      );
    case 'checkFailed':
      return (
        <ErrorState
          title="The adapter could not be checked"
          message={phase.error.message}
          onRetry={() => void upload.check(phase.adapterId, phase.slug)}
        />
      );
    case 'finished':
      return <UploadResult adapter={phase.adapter} onAgain={upload.reset} onClose={onClose} />;
  }
};
