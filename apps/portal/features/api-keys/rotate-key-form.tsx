'use client';
import { Alert, Select, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useState } from 'react';
import { RotateApiKeyDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { GRACES } from './grace';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onRotated: (secret: string) => void;
  onCancel: () => void;
}

export const RotateKeyForm = ({ apiKey, onRotated, onCancel }: Props) => {
  const [rotate, { busy }] = useApiMutation(RotateApiKeyDocument);
  const [grace, setGrace] = useState<string>('86400');
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (): Promise<void> => {
    setProblem(null);
    const { data, error } = await rotate({ input: { apiKeyId: apiKey.id, graceSeconds: Number(grace) } });
    if (error) setProblem(error.message);
    else onRotated(data.rotateApiKey.secret);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void submit();
      }}
      noValidate
      aria-label="Rotate API key"
    >
      <Stack>
        <Text size="sm" c="dimmed">
          The key gets a new secret and keeps its name, permissions, targets, limits, budget and usage.
        </Text>
        <FormProblem problem={problem} />
        {apiKey.previousSecret && (
          <Alert color="amber" icon={<IconAlertTriangle />} title="An older secret still works">
            {apiKey.previousSecret.prefix}… from the last rotation ends at once when you rotate again.
          </Alert>
        )}
        <Select
          label="The present secret works"
          description="Programs that still use it are refused after that, and their open streams end"
          data={GRACES}
          value={grace}
          onChange={(value) => value !== null && setGrace(value)}
          allowDeselect={false}
          data-autofocus
        />
        <FormButtons submit="Rotate key" busy={busy} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
