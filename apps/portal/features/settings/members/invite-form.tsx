'use client';
import { Select, Stack, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage } from '@/features/session/auth-error';
import { useSession } from '@/features/session/session-context';
import { authClient } from '@/lib/api/auth-client';
import type { Role } from '@/lib/api/generated/graphql';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { ROLES, roleName } from './roles';

const schema = z.object({
  email: z.email('Enter the e-mail address of the person'),
  role: z.enum(['OWNER', 'ADMIN', 'MEMBER']),
});
type Values = z.infer<typeof schema>;

export interface Invited {
  id: string;
  email: string;
}

interface Props {
  roles: Role[];
  onInvited: (invited: Invited) => void;
  onCancel: () => void;
}

export const InviteForm = ({ roles, onInvited, onCancel }: Props) => {
  const { tenant } = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm<Values>({
    initialValues: { email: '', role: 'MEMBER' },
    validate: schemaResolver(schema, { sync: true }),
  });
  const invite = async ({ email, role }: Values): Promise<void> => {
    setProblem(null);
    const { data, error } = await authClient.organization.inviteMember({
      email: email.trim(),
      role: roleName(role),
      organizationId: tenant.id,
    });
    if (error) return setProblem(authErrorMessage(error));
    onInvited({ id: data.id, email: data.email });
  };
  return (
    <form onSubmit={form.onSubmit(invite)} noValidate aria-label="Invite somebody">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput label="E-mail" type="email" autoComplete="off" data-autofocus {...form.getInputProps('email')} />
        <Select
          label="Role"
          description={roles.length === 1 ? 'Only owners invite admins and owners' : undefined}
          data={roles.map((value) => ({ value, label: ROLES[value] }))}
          allowDeselect={false}
          {...form.getInputProps('role')}
        />
        <FormButtons submit="Invite" busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
