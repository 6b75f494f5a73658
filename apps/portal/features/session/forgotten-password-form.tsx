'use client';
import { Alert, Button, Stack, Text, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authClient } from '@/lib/api/auth-client';
import { FormProblem } from '@/ui/form-problem';
import { TextLink } from '@/ui/text-link';
import { authErrorMessage } from './auth-error';

const schema = z.object({ email: z.email('Enter your e-mail address') });

export const ForgottenPasswordForm = () => {
  const [problem, setProblem] = useState<string | null>(null);
  const [askedFor, setAskedFor] = useState<string | null>(null);
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { email: '' },
    validate: schemaResolver(schema, { sync: true }),
  });

  const ask = async ({ email }: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    setAskedFor(null);
    const { error } = await authClient.requestPasswordReset({ email });
    if (error) return setProblem(authErrorMessage(error));
    setAskedFor(email);
  };

  return (
    <form onSubmit={form.onSubmit(ask)} noValidate aria-label="Forgotten password">
      <Stack>
        <FormProblem problem={problem} />
        {askedFor && (
          <Alert color="leaf" role="status" title="Look into your mail">
            If {askedFor} has an account, a link is on its way. It works once, for an hour.
          </Alert>
        )}
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          size="md"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <Button type="submit" size="md" loading={form.submitting} mt="xs">
          Send link
        </Button>
        <Text size="sm" c="dimmed" ta="center">
          <TextLink href="/sign-in">Back to sign-in</TextLink>
        </Text>
      </Stack>
    </form>
  );
};
