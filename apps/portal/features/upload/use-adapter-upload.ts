'use client';
import { useCallback, useEffect, useRef, useState } from 'react';
import {
  CreateAdapterDocument,
  DeleteAdapterDocument,
  FinishAdapterUploadDocument,
} from '@/lib/api/documents/adapters';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import type { ApiError } from '@/lib/api/api-error';
import { ADAPTER_FILES, type AdapterFileName, type ChosenFiles } from './chosen-files';
import { FileTransfer, type Transfer } from './file-transfer';

export type Transfers = Partial<Record<AdapterFileName, Transfer>>;

export type UploadPhase =
  | { name: 'choosing' }
  | { name: 'sending'; adapterId: string; slug: string }
  | { name: 'checking'; adapterId: string; slug: string }
  | { name: 'checkFailed'; adapterId: string; slug: string; error: ApiError }
  | { name: 'finished'; adapter: AdapterDetailFieldsFragment };

export interface NewAdapter {
  slug: string;
  name: string;
  description: string;
  baseModelId: string;
}

/** The course of one upload: the adapter is made known, its files are sent side by side, the API checks them. */
export const useAdapterUpload = () => {
  const [phase, setPhase] = useState<UploadPhase>({ name: 'choosing' });
  const [transfers, setTransfers] = useState<Transfers>({});
  const running = useRef<FileTransfer[]>([]);
  const [createAdapter] = useApiMutation(CreateAdapterDocument);
  const [finishUpload] = useApiMutation(FinishAdapterUploadDocument);
  const [deleteAdapter] = useApiMutation(DeleteAdapterDocument, { types: ['Adapter'] });

  const check = useCallback(
    async (adapterId: string, slug: string) => {
      setPhase({ name: 'checking', adapterId, slug });
      const { data, error } = await finishUpload({ input: { adapterId } });
      setPhase(
        error
          ? { name: 'checkFailed', adapterId, slug, error }
          : { name: 'finished', adapter: data.finishAdapterUpload.adapter },
      );
    },
    [finishUpload],
  );

  /** Sends the files of an adapter the API already knows; also how an interrupted upload is taken up again. */
  const send = useCallback(
    (adapterId: string, slug: string, files: ChosenFiles) => {
      const states: Transfers = {};
      const report = (name: AdapterFileName) => (transfer: Transfer) => {
        const before = states[name]?.state;
        states[name] = transfer;
        setTransfers({ ...states });
        const complete = running.current.every((each) => states[each.name]?.state === 'done');
        if (transfer.state === 'done' && before !== 'done' && complete) void check(adapterId, slug);
      };
      running.current = ADAPTER_FILES.flatMap((name) => {
        const file = files[name];
        return file ? [new FileTransfer(adapterId, name, file, report(name))] : [];
      });
      setPhase({ name: 'sending', adapterId, slug });
      for (const transfer of running.current) void transfer.start();
    },
    [check],
  );

  const begin = useCallback(
    async (adapter: NewAdapter, files: ChosenFiles): Promise<ApiError | null> => {
      const sizes = ADAPTER_FILES.map((name) => ({ name, bytes: files[name]?.size ?? 0 }));
      const { data, error } = await createAdapter({ input: { ...adapter, files: sizes } });
      if (error) return error;
      send(data.createAdapter.adapter.id, adapter.slug, files);
      return null;
    },
    [createAdapter, send],
  );

  const pause = useCallback(() => running.current.forEach((transfer) => void transfer.pause()), []);
  const resume = useCallback(() => running.current.forEach((transfer) => transfer.resume()), []);

  const reset = useCallback(() => {
    running.current.forEach((transfer) => void transfer.pause());
    running.current = [];
    setTransfers({});
    setPhase({ name: 'choosing' });
  }, []);

  /** Gives the upload up for good: the half-sent adapter is deleted with its files. */
  const cancel = useCallback(async () => {
    const adapterId = 'adapterId' in phase ? phase.adapterId : null;
    reset();
    if (adapterId) await deleteAdapter({ input: { adapterId } });
  }, [phase, reset, deleteAdapter]);

  // Leaving the page stops sending; what arrived stays on the server and can be taken up again.
  useEffect(() => () => running.current.forEach((transfer) => void transfer.pause()), []);

  useEffect(() => {
    const goOn = (): void => running.current.forEach((transfer) => transfer.reconnect());
    window.addEventListener('online', goOn);
    return () => window.removeEventListener('online', goOn);
  }, []);

  // A reload forgets the chosen files; the browser asks in its own words.
  const sending = phase.name === 'sending';
  useEffect(() => {
    if (!sending) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [sending]);

  return { phase, transfers, begin, send, check, pause, resume, cancel, reset };
};
