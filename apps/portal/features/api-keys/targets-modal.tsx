'use client';
import { Modal, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { UpdateApiKeyTargetsDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { TargetFields } from './target-fields';
import { targetsProblem } from './targets';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onClose: () => void;
}

const TargetsForm = ({ apiKey, onClose }: Props) => {
  const [update] = useApiMutation(UpdateApiKeyTargetsDocument);
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm<{ targets: string[] | null }>({
    initialValues: { targets: apiKey.targets?.map(({ target }) => target) ?? null },
    validate: { targets: targetsProblem },
  });
  const save = async ({ targets }: { targets: string[] | null }): Promise<void> => {
    setProblem(null);
    const { error } = await update({ input: { apiKeyId: apiKey.id, targets } });
    if (error) setProblem(error.message);
    else onClose();
  };
  return (
    <form onSubmit={form.onSubmit(save)} noValidate aria-label="Targets">
      <Stack>
        <Text size="sm" c="dimmed">
          They hold from the next request on, for every secret of the key.
        </Text>
        <FormProblem problem={problem} />
        <TargetFields {...form.getInputProps('targets')} value={form.values.targets} />
        <FormButtons submit="Save targets" busy={form.submitting} onCancel={onClose} />
      </Stack>
    </form>
  );
};

export const TargetsModal = (props: Props) => (
  <Modal opened onClose={props.onClose} title={`Targets of ${props.apiKey.name}`}>
    <TargetsForm {...props} />
  </Modal>
);
