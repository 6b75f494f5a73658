'use client';
import { Group, Progress, Stack, Text } from '@mantine/core';
import { IconFile } from '@tabler/icons-react';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBytes } from '@/lib/format/quantity';
import { CopyButton } from '@/ui/copy-button';
import { Section } from '@/ui/section';

type AdapterFile = AdapterDetailFieldsFragment['files'][number];

const Hash = ({ label, sha256 }: { label: string; sha256: string }) => (
  <Group gap={4} wrap="nowrap" miw={0}>
    <Text size="xs" c="dimmed" ff="monospace" truncate title={sha256}>
      {sha256}
    </Text>
    <CopyButton value={sha256} what={`SHA-256 of ${label}`} />
  </Group>
);

const FileRow = ({ file }: { file: AdapterFile }) => (
  <Stack gap={4} component="li">
    <Group justify="space-between" wrap="nowrap">
      <Group gap={8} wrap="nowrap" miw={0}>
        <IconFile size={16} aria-hidden style={{ flexShrink: 0 }} />
        <Text size="sm" fw={500} truncate>
          {file.name}
        </Text>
      </Group>
      <Text size="sm" c="dimmed" className="tabular" style={{ flexShrink: 0 }}>
        {file.received < file.bytes
          ? `${formatBytes(file.received)} of ${formatBytes(file.bytes)}`
          : formatBytes(file.bytes)}
      </Text>
    </Group>
    {file.received < file.bytes && (
      <Progress
        value={(100 * file.received) / file.bytes}
        color="amber"
        aria-label={`Received of ${file.name}`}
      />
    )}
    {file.sha256 && <Hash label={file.name} sha256={file.sha256} />}
  </Stack>
);

export const AdapterFiles = ({ adapter }: { adapter: AdapterDetailFieldsFragment }) => (
  <Section title="Files" description="Kept as uploaded; the content hash is the adapter’s identity.">
    <Stack component="ul" m={0} p={0} gap="sm" style={{ listStyle: 'none' }}>
      {adapter.files.map((file) => (
        <FileRow key={file.name} file={file} />
      ))}
    </Stack>
    {adapter.sha256 && (
      <Stack gap={0} mt="md">
        <Text size="sm" fw={500}>
          Adapter
        </Text>
        <Hash label="the adapter" sha256={adapter.sha256} />
      </Stack>
    )}
  </Section>
);
