'use client';
import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useRouter, useSearchParams } from 'next/navigation';
import { useEffect, useState } from 'react';
import { z } from 'zod';
import { useResetApi } from '@/lib/api/api-provider';
import { authClient } from '@/lib/api/auth-client';
import { FormProblem } from '@/ui/form-problem';
import { TextLink } from '@/ui/text-link';
import { authErrorMessage } from './auth-error';
import { authHref, safeNextPath } from './next-path';
import { SecondFactorForm } from './second-factor-form';

const schema = z.object({
  email: z.email('Enter your e-mail address'),
  password: z.string().min(1, 'Enter your password'),
});

export const SignInForm = () => {
  const router = useRouter();
  const params = useSearchParams();
  const resetApi = useResetApi();
  const [problem, setProblem] = useState<string | null>(null);
  const [asksForCode, setAsksForCode] = useState(false);
  const { data: session } = authClient.useSession();
  const expired = params.has('expired');
  const reset = params.has('reset');
  const next = safeNextPath(params.get('next'));
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { email: '', password: '' },
    validate: schemaResolver(schema, { sync: true }),
  });

  useEffect(() => {
    if (session && !expired) router.replace(next);
  }, [session, expired, next, router]);

  const signIn = async (values: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const { data, error } = await authClient.signIn.email(values);
    if (error) return setProblem(authErrorMessage(error));
    if ('twoFactorRedirect' in data) return setAsksForCode(true);
    goOn();
  };

  const goOn = (): void => {
    resetApi();
    router.replace(next);
  };

  if (asksForCode) {
    const again = (why: string | null): void => {
      setProblem(why);
      setAsksForCode(false);
    };
    return <SecondFactorForm onSignedIn={goOn} onAgain={again} />;
  }

  return (
    <form onSubmit={form.onSubmit(signIn)} noValidate aria-label="Sign in">
      <Stack>
        {expired && !problem && <Alert color="amber">Please sign in again to go on.</Alert>}
        {reset && !problem && <Alert color="leaf">Your password is changed. Sign in with it.</Alert>}
        <FormProblem problem={problem} />
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          size="md"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          size="md"
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <Button type="submit" size="md" loading={form.submitting} mt="xs">
          Sign in
        </Button>
        <Text size="sm" ta="center">
          <TextLink href="/forgotten-password">Forgotten your password?</TextLink>
        </Text>
        <Text size="sm" c="dimmed" ta="center">
          New here? <TextLink href={authHref('/sign-up', next)}>Create an account</TextLink>
        </Text>
      </Stack>
    </form>
  );
};
