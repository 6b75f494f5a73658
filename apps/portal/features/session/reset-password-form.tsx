'use client';
import { Button, PasswordInput, Stack, Text } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useRouter, useSearchParams } from 'next/navigation';
import { useState } from 'react';
import { z } from 'zod';
import { authClient } from '@/lib/api/auth-client';
import { FormProblem } from '@/ui/form-problem';
import { TextLink } from '@/ui/text-link';
import { authErrorMessage } from './auth-error';
import { newPassword } from './password';

const schema = z.object({ password: newPassword });

export const ResetPasswordForm = () => {
  const router = useRouter();
  const token = useSearchParams().get('token') ?? '';
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { password: '' },
    validate: schemaResolver(schema, { sync: true }),
  });

  const reset = async ({ password }: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const { error } = await authClient.resetPassword({ token, newPassword: password });
    if (error) return setProblem(authErrorMessage(error));
    router.replace('/sign-in?reset=1');
  };

  return (
    <form onSubmit={form.onSubmit(reset)} noValidate aria-label="New password">
      <Stack>
        <FormProblem problem={problem} />
        <PasswordInput
          label="New password"
          description="At least 8 characters"
          autoComplete="new-password"
          size="md"
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <Button type="submit" size="md" loading={form.submitting} mt="xs">
          Set password
        </Button>
        <Text size="sm" c="dimmed" ta="center">
          <TextLink href="/forgotten-password">Ask for another link</TextLink>
        </Text>
      </Stack>
    </form>
  );
};
