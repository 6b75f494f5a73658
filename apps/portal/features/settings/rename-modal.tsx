'use client';
import { Modal, Stack, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage } from '@/features/session/auth-error';
import { useSession } from '@/features/session/session-context';
import { workspaceName } from '@/features/workspaces/workspace-name';
import { authClient } from '@/lib/api/auth-client';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';

const schema = z.object({ name: workspaceName });

export const RenameModal = ({ opened, onClose }: { opened: boolean; onClose: () => void }) => (
  <Modal opened={opened} onClose={onClose} title="Rename workspace">
    <RenameForm onClose={onClose} />
  </Modal>
);

const RenameForm = ({ onClose }: { onClose: () => void }) => {
  const { tenant, reload } = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({ initialValues: { name: tenant.name }, validate: schemaResolver(schema, { sync: true }) });
  const rename = async ({ name }: { name: string }): Promise<void> => {
    const data = { name: name.trim() };
    const { error } = await authClient.organization.update({ organizationId: tenant.id, data });
    if (error) return setProblem(authErrorMessage(error));
    reload();
    onClose();
  };
  return (
    <form onSubmit={form.onSubmit(rename)} noValidate aria-label="Rename workspace">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput
          label="Name"
          description="The slug stays as it is"
          data-autofocus
          {...form.getInputProps('name')}
        />
        <FormButtons submit="Rename" busy={form.submitting} onCancel={onClose} />
      </Stack>
    </form>
  );
};
