'use client';
import { Tabs } from '@mantine/core';
import { useEffect, useState, type ReactNode } from 'react';
import { importDraftOf } from '@/features/import/import-draft';
import { ImportFlow } from '@/features/import/import-flow';
import { draftOf } from './draft';
import type { UploadSubject } from './upload-flow';

interface Props {
  /** null: imports are switched off. */
  hubUrl: string | null;
  subject?: UploadSubject | undefined;
  /** Told whether closing now would lose what was filled in for an import. */
  onFilled: (filled: boolean) => void;
  onClose: () => void;
  onCancel: () => void;
  /** The upload. */
  children: ReactNode;
}

/** The ways in which a new adapter's files come. */
export const NewAdapterWays = ({ hubUrl, subject, onFilled, onClose, onCancel, children }: Props) => {
  const [draft, setDraft] = useState(() => importDraftOf(draftOf(subject), subject?.source));
  const [way, setWay] = useState<string | null>(subject?.source ? 'import' : 'upload');
  const [begun, setBegun] = useState(false);
  const before = importDraftOf(draftOf(subject), subject?.source);
  const filled = !begun && (['repository', 'revision', 'path', 'token'] as const).some((field) => draft[field] !== before[field]);
  useEffect(() => onFilled(filled), [onFilled, filled]);

  if (hubUrl === null) return children;
  return (
    <Tabs value={way} onChange={setWay} keepMounted={false}>
      {!begun && (
        <Tabs.List mb="md" aria-label="Where the files come from">
          <Tabs.Tab value="upload">Upload files</Tabs.Tab>
          <Tabs.Tab value="import">Import from a hub</Tabs.Tab>
        </Tabs.List>
      )}
      <Tabs.Panel value="upload">{children}</Tabs.Panel>
      <Tabs.Panel value="import">
        <ImportFlow
          hubUrl={hubUrl}
          draft={draft}
          onDraft={setDraft}
          slugFixed={subject !== undefined}
          onBegun={setBegun}
          onClose={onClose}
          onCancel={onCancel}
        />
      </Tabs.Panel>
    </Tabs>
  );
};
