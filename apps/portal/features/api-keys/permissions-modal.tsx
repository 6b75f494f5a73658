'use client';
import { Modal, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { UpdateApiKeyPermissionsDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeyPermission, ApiKeysQuery } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { PermissionFields } from './permission-fields';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onClose: () => void;
}

const PermissionsForm = ({ apiKey, onClose }: Props) => {
  const [update] = useApiMutation(UpdateApiKeyPermissionsDocument);
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm<{ permissions: ApiKeyPermission[] }>({
    initialValues: { permissions: apiKey.permissions },
    validate: { permissions: (chosen) => (chosen.length === 0 ? 'Choose at least one' : null) },
  });
  const save = async ({ permissions }: { permissions: ApiKeyPermission[] }): Promise<void> => {
    setProblem(null);
    const { error } = await update({ input: { apiKeyId: apiKey.id, permissions } });
    if (error) setProblem(error.message);
    else onClose();
  };
  return (
    <form onSubmit={form.onSubmit(save)} noValidate aria-label="Permissions">
      <Stack>
        <Text size="sm" c="dimmed">
          They hold from the next request on, for every secret of the key.
        </Text>
        <FormProblem problem={problem} />
        <PermissionFields {...form.getInputProps('permissions')} value={form.values.permissions} />
        <FormButtons submit="Save permissions" busy={form.submitting} onCancel={onClose} />
      </Stack>
    </form>
  );
};

export const PermissionsModal = (props: Props) => (
  <Modal opened onClose={props.onClose} title={`Permissions of ${props.apiKey.name}`}>
    <PermissionsForm {...props} />
  </Modal>
);
