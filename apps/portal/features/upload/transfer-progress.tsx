'use client';
import { Alert, Button, Group, Progress, Stack, Text } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconX } from '@tabler/icons-react';
import { formatBytes } from '@/lib/format/quantity';
import { ADAPTER_FILES } from './chosen-files';
import type { Transfer, TransferState } from './file-transfer';
import type { useAdapterUpload } from './use-adapter-upload';

const STATES: Record<TransferState, string> = {
  waiting: 'waiting',
  sending: 'sending',
  paused: 'paused',
  done: 'sent',
  failed: 'stopped',
};

const FileProgress = ({ name, transfer }: { name: string; transfer: Transfer }) => {
  const percent = transfer.total === 0 ? 100 : Math.floor((100 * transfer.sent) / transfer.total);
  const color = transfer.state === 'done' ? 'leaf' : transfer.state === 'failed' ? 'red' : undefined;
  return (
    <div>
      <Group justify="space-between" mb={4} wrap="nowrap">
        <Text size="sm" fw={500} truncate>
          {name}
        </Text>
        <Text size="sm" c="dimmed" className="tabular" style={{ flexShrink: 0 }}>
          {formatBytes(transfer.sent)} of {formatBytes(transfer.total)} · {STATES[transfer.state]}
        </Text>
      </Group>
      <Progress.Root size="lg" radius="xl">
        <Progress.Section
          value={percent}
          color={color}
          striped={transfer.state === 'sending'}
          animated={transfer.state === 'sending'}
          aria-label={`Progress of ${name}`}
        />
      </Progress.Root>
      {transfer.error && (
        <Alert color="red" mt="xs" role="alert">
          {transfer.error}
        </Alert>
      )}
    </div>
  );
};

interface Props {
  upload: ReturnType<typeof useAdapterUpload>;
  slug: string;
  onCancel: () => void;
}

export const TransferProgress = ({ upload, slug, onCancel }: Props) => {
  const transfers = Object.values(upload.transfers);
  const sending = transfers.some(({ state }) => state === 'sending');
  return (
    <Stack gap="lg">
      <Text c="dimmed" size="sm">
        Sending <b>{slug}</b>. You may pause, or close this and continue later.
      </Text>
      {ADAPTER_FILES.map((name) => {
        const transfer = upload.transfers[name];
        return transfer && <FileProgress key={name} name={name} transfer={transfer} />;
      })}
      <Group>
        {sending ? (
          <Button variant="default" leftSection={<IconPlayerPause size={16} />} onClick={upload.pause}>
            Pause
          </Button>
        ) : (
          <Button leftSection={<IconPlayerPlay size={16} />} onClick={upload.resume}>
            Resume
          </Button>
        )}
        <Button variant="subtle" color="red" leftSection={<IconX size={16} />} onClick={onCancel}>
          Cancel upload
        </Button>
      </Group>
    </Stack>
  );
};
