'use client';
import { Checkbox, Modal, PasswordInput, Stack } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage } from '@/features/session/auth-error';
import { newPassword } from '@/features/session/password';
import { useSession } from '@/features/session/session-context';
import { authClient } from '@/lib/api/auth-client';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';

const schema = z.object({
  currentPassword: z.string().min(1, 'Enter your present password'),
  newPassword,
  revokeOtherSessions: z.boolean(),
});

interface Props {
  opened: boolean;
  onClose: () => void;
}

export const PasswordModal = ({ opened, onClose }: Props) => (
  <Modal opened={opened} onClose={onClose} title="Change your password">
    <PasswordForm onClose={onClose} />
  </Modal>
);

const PasswordForm = ({ onClose }: { onClose: () => void }) => {
  const { viewer } = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { currentPassword: '', newPassword: '', revokeOtherSessions: true },
    validate: schemaResolver(schema, { sync: true }),
  });
  const change = async (values: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const { error } = await authClient.changePassword(values);
    if (error) return setProblem(authErrorMessage(error));
    notifications.show({ color: 'leaf', title: 'You', message: 'Your password is changed.' });
    onClose();
  };
  return (
    <form onSubmit={form.onSubmit(change)} noValidate aria-label="Change your password">
      <Stack>
        <FormProblem problem={problem} />
        {/* For password managers, which file a password under somebody's name. */}
        <input type="email" autoComplete="username" defaultValue={viewer.email} hidden readOnly />
        <PasswordInput
          label="Present password"
          autoComplete="current-password"
          data-autofocus
          key={form.key('currentPassword')}
          {...form.getInputProps('currentPassword')}
        />
        <PasswordInput
          label="New password"
          description="At least 8 characters"
          autoComplete="new-password"
          key={form.key('newPassword')}
          {...form.getInputProps('newPassword')}
        />
        <Checkbox
          label="Sign out everywhere else"
          key={form.key('revokeOtherSessions')}
          {...form.getInputProps('revokeOtherSessions', { type: 'checkbox' })}
        />
        <FormButtons submit="Change password" busy={form.submitting} onCancel={onClose} />
      </Stack>
    </form>
  );
};
