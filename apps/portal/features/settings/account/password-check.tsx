'use client';
import { PasswordInput, Stack, Text } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage, type AuthFailure } from '@/features/session/auth-error';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';

const schema = z.object({ password: z.string().min(1, 'Enter your password') });

interface Props {
  /** What the form is for, for its accessible name and above the password. */
  title: string;
  explanation: string;
  submit: string;
  /** @returns what was refused, if anything was */
  onSubmit: (password: string) => Promise<AuthFailure | null>;
  onCancel: () => void;
}

/** Asks for the password before something is done to the account. */
export const PasswordCheck = ({ title, explanation, submit, onSubmit, onCancel }: Props) => {
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({ mode: 'uncontrolled', initialValues: { password: '' }, validate: schemaResolver(schema, { sync: true }) });
  const check = async ({ password }: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const failure = await onSubmit(password);
    if (failure) setProblem(authErrorMessage(failure));
  };
  return (
    <form onSubmit={form.onSubmit(check)} noValidate aria-label={title}>
      <Stack>
        <FormProblem problem={problem} />
        <Text size="sm">{explanation}</Text>
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          data-autofocus
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <FormButtons submit={submit} busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
