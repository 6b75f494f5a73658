import { Code, Select, Stack, Text } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconFileText, IconUpload } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';
import { CreateBatchDocument } from '@/lib/api/documents/batches';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { formatBytes, withSeparators } from '@/lib/format/quantity';
import { BODY_BYTES_MAX } from '@/lib/proxy/body-limit';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import type { Batch } from './batch-state';
import { ENDPOINTS, endpointOf, type Endpoint } from './first-request';
import { sendFile } from './send-file';

/** The form around the file is a few hundred bytes. */
const FILE_BYTES_MAX = BODY_BYTES_MAX - 4_096;
const EXAMPLE = '{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "…", "messages": […]}}';

interface Props {
  onStarted: (batch: Batch) => void;
  onCancel: () => void;
}

export const NewBatchForm = ({ onStarted, onCancel }: Props) => {
  const [file, setFile] = useState<File | null>(null);
  const [endpoint, setEndpoint] = useState<Endpoint>(ENDPOINTS[0]);
  const [problem, setProblem] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const [createBatch, { busy }] = useApiMutation(CreateBatchDocument, { types: ['Batch'] });

  const choose = async ([chosen]: File[]): Promise<void> => {
    if (!chosen) return;
    const tooLarge = chosen.size > FILE_BYTES_MAX;
    setProblem(tooLarge ? `${chosen.name} has ${formatBytes(chosen.size)}, and the portal takes ${formatBytes(FILE_BYTES_MAX)}. Send larger files to /v1/files of the API.` : null);
    setFile(tooLarge ? null : chosen);
    const seen = await endpointOf(chosen);
    if (seen) setEndpoint(seen);
  };

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!file) return setProblem('Choose a file of requests first.');
    setProblem(null);
    setSending(true);
    const sent = await sendFile(file);
    setSending(false);
    if (sent.error) return setProblem(withSeparators(sent.error.message));
    const { data, error } = await createBatch({ input: { inputFileId: sent.id, endpoint } });
    if (error) setProblem(withSeparators(error.message));
    else onStarted(data.createBatch.batch);
  };

  return (
    <form onSubmit={(event) => void submit(event)} noValidate aria-label="New batch">
      <Stack>
        <FormProblem title="It was not started" problem={problem} />
        <Dropzone
          onDrop={(files) => void choose(files)}
          multiple={false}
          useFsAccessApi={false}
          role="button"
          data-autofocus
          aria-label="Drop the requests here, or press Enter to choose their file"
          inputProps={{ 'aria-label': 'File of requests' }}
          p="lg"
          radius="lg"
        >
          <Stack align="center" gap={6} style={{ pointerEvents: 'none' }} ta="center">
            {file ? (
              <IconFileText size={30} stroke={1.5} color="var(--aril-accent-text)" aria-hidden />
            ) : (
              <IconUpload size={30} stroke={1.5} color="var(--aril-accent-text)" aria-hidden />
            )}
            <Text fw={600} style={{ overflowWrap: 'anywhere' }}>
              {file ? file.name : 'Drop a JSONL file here'}
            </Text>
            <Text size="sm" c="dimmed">
              {file ? formatBytes(file.size) : 'or click to choose it: one request a line, 50,000 at most'}
            </Text>
          </Stack>
        </Dropzone>
        <Code block fz="xs" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {EXAMPLE}
        </Code>
        <Select
          label="Endpoint"
          description="The url of every line"
          allowDeselect={false}
          data={[...ENDPOINTS]}
          value={endpoint}
          onChange={(chosen) => setEndpoint(ENDPOINTS.find((one) => one === chosen) ?? ENDPOINTS[0])}
        />
        <Text size="sm" c="dimmed">
          Each request is charged as any other to your workspace, and held to its budget.
        </Text>
        <FormButtons submit="Start batch" busy={sending || busy} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
