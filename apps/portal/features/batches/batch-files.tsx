import { Button, Group, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { Section } from '@/ui/section';
import type { BatchDetails } from './batch-page';
import { isOpen } from './batch-state';

interface FileLink {
  id: string | null;
  label: string;
}

/** From the API's own door for downloads. */
export const BatchFiles = ({ batch }: { batch: BatchDetails }) => {
  const { inputFileId, inputFileName, outputFileId, errorFileId } = batch;
  const links: FileLink[] = [
    { id: outputFileId, label: 'Answers' },
    { id: errorFileId, label: 'Errors' },
    { id: inputFileName && inputFileId, label: 'Requests' },
  ];
  return (
    <Section title="Files" description={isOpen(batch) ? 'Answers and errors are written when all requests have ended.' : 'JSON lines, one a request, told apart by its custom_id.'}>
      <Group gap="sm">
        {links.map(({ id, label }) =>
          id === null ? null : (
            <Button key={label} component="a" href={`/api/batch-files/${id}`} download variant="default" leftSection={<IconDownload size={16} aria-hidden />}>
              {label}
            </Button>
          ),
        )}
        {links.every(({ id }) => id === null) && (
          <Text size="sm" c="dimmed">
            The files of this batch are gone.
          </Text>
        )}
      </Group>
    </Section>
  );
};
