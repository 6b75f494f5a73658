'use client';
import { Button, Group, Stack, Text } from '@mantine/core';
import { useInterval } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { UploadResult } from '@/features/upload/upload-result';
import type { ApiError } from '@/lib/api/api-error';
import { AdapterDocument, ImportAdapterDocument } from '@/lib/api/documents/adapters';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ErrorState } from '@/ui/error-state';
import { type NewImport, toInput } from './import-draft';
import { ImportForm } from './import-form';
import { ImportProgress } from './import-progress';

/** An import goes on by itself: whoever looks at it is shown how far it is. */
export const IMPORT_LOOK_MS = 1_000;

interface Props {
  hubUrl: string;
  draft: NewImport;
  onDraft: (draft: NewImport) => void;
  slugFixed: boolean;
  /** Told when there is nothing left to fill in. */
  onBegun: (begun: boolean) => void;
  onClose: () => void;
  onCancel: () => void;
}

export const ImportFlow = ({ hubUrl, draft, onDraft, slugFixed, onBegun, onClose, onCancel }: Props) => {
  const [adapterId, setAdapterId] = useState<string | null>(null);
  const [importAdapter] = useApiMutation(ImportAdapterDocument);
  const show = (id: string | null): void => {
    setAdapterId(id);
    onBegun(id !== null);
  };
  const begin = async (adapter: NewImport): Promise<ApiError | null> => {
    const { data, error } = await importAdapter({ input: toInput(adapter) });
    if (error) return error;
    show(data.importAdapter.adapter.id);
    return null;
  };
  return adapterId === null ? (
    <ImportForm draft={draft} onDraft={onDraft} slugFixed={slugFixed} hubUrl={hubUrl} onBegin={begin} onCancel={onCancel} />
  ) : (
    <Watch id={adapterId} onAgain={() => show(null)} onClose={onClose} />
  );
};

const Watch = ({ id, onAgain, onClose }: { id: string; onAgain: () => void; onClose: () => void }) => {
  const { data, error, reload } = useApiQuery(AdapterDocument, { id }, { types: ['Adapter'] });
  const ended = data !== undefined && data.adapter.status !== 'UPLOADING';
  const looking = useInterval(reload, IMPORT_LOOK_MS, { autoInvoke: true });
  const { stop } = looking;
  useEffect(() => {
    if (ended) stop();
  }, [ended, stop]);
  if (!data) return error ? <ErrorState message={error.message} onRetry={reload} /> : null;
  if (ended) return <UploadResult adapter={data.adapter} onAgain={onAgain} onClose={onClose} />;
  return (
    <Stack gap="lg">
      <ImportProgress adapter={data.adapter} />
      <Text size="sm" c="dimmed">
        It goes on when this is closed. Deleting the adapter ends it.
      </Text>
      <Group>
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
      </Group>
    </Stack>
  );
};
