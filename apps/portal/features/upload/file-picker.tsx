'use client';
import { Button, FileButton, Group, Stack, Text } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconCircleCheck, IconCircleDashed, IconFolderOpen, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { formatBytes } from '@/lib/format/quantity';
import { ADAPTER_FILES, selectAdapterFiles, type ChosenFiles } from './chosen-files';

interface Props {
  files: ChosenFiles;
  /** `path` tells where the files lay, when the browser says so. */
  onFiles: (files: ChosenFiles, path: string) => void;
  error?: string | undefined;
}

/** Takes the two files, or the folder that holds them, dropped or chosen. */
export const FilePicker = ({ files, onFiles, error }: Props) => {
  const [missed, setMissed] = useState<string | null>(null);
  const take = (dropped: File[]): void => {
    const { chosen, path, ignored } = selectAdapterFiles(dropped, files);
    const nothing = dropped.length === ignored.length;
    setMissed(
      nothing
        ? `${ignored.slice(0, 3).join(', ')}${ignored.length > 3 ? ' …' : ''}: none of the two files needed`
        : null,
    );
    if (!nothing) onFiles(chosen, path);
  };
  const problem = missed ?? error;

  return (
    <Stack gap="xs">
      <Dropzone
        onDrop={take}
        multiple
        useFsAccessApi={false}
        aria-label="Drop the adapter’s files or folder here, or press Enter to choose files"
        inputProps={{ 'aria-label': 'Adapter files' }}
        p="lg"
        radius="lg"
      >
        <Stack align="center" gap={6} style={{ pointerEvents: 'none' }} ta="center">
          <IconUpload size={30} stroke={1.5} color="var(--aril-accent-text)" aria-hidden />
          <Text fw={600}>Drop a folder or its two files here</Text>
          <Text size="sm" c="dimmed">
            or click to choose adapter_config.json and adapter_model.safetensors
          </Text>
        </Stack>
      </Dropzone>
      <Group justify="space-between" gap="xs">
        <FileList files={files} />
        <FileButton
          onChange={take}
          multiple
          inputProps={{ webkitdirectory: '', 'aria-label': 'Adapter folder' } as object}
        >
          {(props) => (
            <Button {...props} variant="subtle" size="xs" leftSection={<IconFolderOpen size={15} />}>
              Choose a folder
            </Button>
          )}
        </FileButton>
      </Group>
      {problem && (
        <Text size="sm" c="red" role="alert">
          {problem}
        </Text>
      )}
    </Stack>
  );
};

const FileList = ({ files }: { files: ChosenFiles }) => (
  <Stack gap={2} component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Chosen files">
    {ADAPTER_FILES.map((name) => {
      const file = files[name];
      return (
        <Group key={name} component="li" gap={6} wrap="nowrap" c={file ? undefined : 'dimmed'}>
          {file ? (
            <IconCircleCheck size={16} color="var(--mantine-color-leaf-6)" aria-hidden />
          ) : (
            <IconCircleDashed size={16} aria-hidden />
          )}
          <Text size="sm">
            {name} {file ? `· ${formatBytes(file.size)}` : '· missing'}
          </Text>
        </Group>
      );
    })}
  </Stack>
);
