'use client';
import { Modal, Stack, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage } from '@/features/session/auth-error';
import { personName } from '@/features/session/person-name';
import { useSession } from '@/features/session/session-context';
import { authClient } from '@/lib/api/auth-client';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';

const schema = z.object({ name: personName });

interface Props {
  opened: boolean;
  onClose: () => void;
}

export const NameModal = ({ opened, onClose }: Props) => (
  <Modal opened={opened} onClose={onClose} title="Change your name">
    <NameForm onClose={onClose} />
  </Modal>
);

const NameForm = ({ onClose }: { onClose: () => void }) => {
  const { viewer, reload } = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({ initialValues: { name: viewer.name }, validate: schemaResolver(schema, { sync: true }) });
  const save = async (values: z.infer<typeof schema>): Promise<void> => {
    const { error } = await authClient.updateUser(schema.parse(values));
    if (error) return setProblem(authErrorMessage(error));
    reload();
    onClose();
  };
  return (
    <form onSubmit={form.onSubmit(save)} noValidate aria-label="Change your name">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput
          label="Name"
          description="As others in your workspaces see you"
          autoComplete="name"
          data-autofocus
          {...form.getInputProps('name')}
        />
        <FormButtons submit="Save" busy={form.submitting} onCancel={onClose} />
      </Stack>
    </form>
  );
};
