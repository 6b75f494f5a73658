'use client';
import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useRouter, useSearchParams } from 'next/navigation';
import { useState } from 'react';
import { z } from 'zod';
import { useResetApi } from '@/lib/api/api-provider';
import { workspaceName } from '@/features/workspaces/workspace-name';
import { authClient } from '@/lib/api/auth-client';
import { FormProblem } from '@/ui/form-problem';
import { TextLink } from '@/ui/text-link';
import { authErrorMessage } from './auth-error';
import { authHref, isInvitationPath, safeNextPath } from './next-path';
import { newPassword } from './password';
import { personName } from './person-name';

const person = z.object({
  name: personName,
  email: z.email('Enter a valid e-mail address'),
  password: newPassword,
});
const founder = person.extend({ tenantName: workspaceName });

export const SignUpForm = () => {
  const router = useRouter();
  const next = safeNextPath(useSearchParams().get('next'));
  const invited = isInvitationPath(next);
  const schema = invited ? person : founder;
  const resetApi = useResetApi();
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { name: '', tenantName: '', email: '', password: '' },
    validate: schemaResolver(schema, { sync: true }),
  });

  const signUp = async (values: z.infer<typeof founder>): Promise<void> => {
    setProblem(null);
    const { error } = await authClient.signUp.email(schema.parse(values));
    if (error) return setProblem(authErrorMessage(error));
    resetApi();
    router.replace(next);
  };

  return (
    <form onSubmit={form.onSubmit(signUp)} noValidate aria-label="Create account">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput
          label="Your name"
          autoComplete="name"
          size="md"
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        {!invited && (
          <TextInput
            label="Company or team"
            description="Adapters, keys and usage belong to it"
            autoComplete="organization"
            size="md"
            key={form.key('tenantName')}
            {...form.getInputProps('tenantName')}
          />
        )}
        <TextInput
          label="E-mail"
          description={invited ? 'The address that was invited' : undefined}
          type="email"
          autoComplete="username"
          size="md"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <PasswordInput
          label="Password"
          description="At least 8 characters"
          autoComplete="new-password"
          size="md"
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <Button type="submit" size="md" loading={form.submitting} mt="xs">
          Create account
        </Button>
        <Text size="sm" c="dimmed" ta="center">
          Already registered? <TextLink href={authHref('/sign-in', next)}>Sign in</TextLink>
        </Text>
      </Stack>
    </form>
  );
};
