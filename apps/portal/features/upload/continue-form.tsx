'use client';
import { Alert, Stack, Text } from '@mantine/core';
import { FormButtons } from '@/ui/form-buttons';
import { ADAPTER_FILES, type ChosenFiles } from './chosen-files';
import { FilePicker } from './file-picker';
import type { UploadSubject } from './upload-flow';

interface Props {
  subject: UploadSubject;
  files: ChosenFiles;
  onFiles: (files: ChosenFiles) => void;
  onSend: () => void;
  onCancel: () => void;
}

/** Takes an interrupted upload up again. Browsers forget files on reload, so they are chosen once more. */
export const ContinueForm = ({ subject, files, onFiles, onSend, onCancel }: Props) => {
  const missing = ADAPTER_FILES.filter((name) => !files[name]);
  const changed = ADAPTER_FILES.filter((name) => {
    const declared = subject.files.find((file) => file.name === name)?.bytes;
    return files[name] !== undefined && declared !== undefined && files[name].size !== declared;
  });
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        Choose the same two files again. Sending goes on where it stopped.
      </Text>
      <FilePicker files={files} onFiles={onFiles} />
      {changed.length > 0 && (
        <Alert color="amber" title="Not the same files">
          {changed.join(' and ')} has another size than announced. To send other files, delete this adapter
          and upload anew.
        </Alert>
      )}
      <FormButtons
        submit="Continue upload"
        disabled={missing.length > 0 || changed.length > 0}
        onSubmit={onSend}
        onCancel={onCancel}
      />
    </Stack>
  );
};
