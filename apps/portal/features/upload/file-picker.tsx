'use client';
import { Alert, Button, FileButton, Group, Select, Stack, Text } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconCircleCheck, IconCircleDashed, IconFolderOpen, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { formatBytes } from '@/lib/format/quantity';
import { ADAPTER_FILES, selectAdapterFiles, type AdapterFolder, type ChosenFiles } from './chosen-files';

interface Props {
  files: ChosenFiles;
  /** `path` tells where the files lay, when the browser says so. */
  onFiles: (files: ChosenFiles, path: string) => void;
  error?: string | undefined;
}

/** Takes the two files, or the folder that holds them, dropped or chosen. */
export const FilePicker = ({ files, onFiles, error }: Props) => {
  const [missed, setMissed] = useState<string | null>(null);
  const [alternatives, setAlternatives] = useState<AdapterFolder[]>([]);
  const take = (dropped: File[]): void => {
    const { chosen, path, ignored, alternatives: found } = selectAdapterFiles(dropped, files);
    setAlternatives(found);
    if (found.length > 0) return setMissed(null);
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
        // Where the drawer's focus begins: on its first step rather than on its close button.
        data-autofocus
        role="button"
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
      {alternatives.length > 0 && (
        <FolderChoice
          folders={alternatives}
          onChoose={(choice) => {
            setMissed(null);
            onFiles(choice.files, choice.path);
          }}
        />
      )}
      {problem && (
        <Text size="sm" c="red" role="alert">
          {problem}
        </Text>
      )}
    </Stack>
  );
};

const FolderChoice = ({
  folders,
  onChoose,
}: {
  folders: AdapterFolder[];
  onChoose: (folder: AdapterFolder) => void;
}) => (
  <Alert color="amber" role="status" title={`${folders.length} adapters were found`}>
    <Select
      label="Folder to upload"
      description="One adapter is uploaded at a time"
      placeholder="Choose a folder"
      allowDeselect={false}
      // Another drop is another question.
      key={folders.map(({ folder }) => folder).join(':')}
      data={folders.map(({ folder }) => ({ value: folder, label: folder || 'The files outside of folders' }))}
      onChange={(chosen) => {
        const choice = folders.find(({ folder }) => folder === chosen);
        if (choice) onChoose(choice);
      }}
    />
  </Alert>
);

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
