'use client';
import { Anchor, Button, Checkbox, Stack, Text, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { authClient } from '@/lib/api/auth-client';
import { FormProblem } from '@/ui/form-problem';
import { authErrorMessage } from './auth-error';
import { appCode, backupCode } from './codes';

const KINDS = {
  app: {
    code: appCode,
    label: 'Code',
    description: 'The six digits that your authenticator app shows for Aril',
    other: 'Use a backup code',
  },
  backup: {
    code: backupCode,
    label: 'Backup code',
    description: 'One of those you stored when you turned the second factor on. It works once.',
    other: 'Use the authenticator app',
  },
} as const;
type Kind = keyof typeof KINDS;

/** They end what the password began: it has to be given again. */
const OVER = ['INVALID_TWO_FACTOR_COOKIE', 'TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE'];

interface Props {
  onSignedIn: () => void;
  /** Back to the password. `why`: what went wrong, if anything did. */
  onAgain: (why: string | null) => void;
}

/** What follows a right password where a second factor is on. */
export const SecondFactorForm = (props: Props) => {
  const [kind, setKind] = useState<Kind>('app');
  return <CodeForm key={kind} kind={kind} onOther={() => setKind(kind === 'app' ? 'backup' : 'app')} {...props} />;
};

const CodeForm = ({ kind, onOther, onSignedIn, onAgain }: Props & { kind: Kind; onOther: () => void }) => {
  const { code, label, description, other } = KINDS[kind];
  const schema = z.object({ code, trustDevice: z.boolean() });
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { code: '', trustDevice: false },
    validate: schemaResolver(schema, { sync: true }),
  });

  const verify = async (values: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const { verifyTotp, verifyBackupCode } = authClient.twoFactor;
    const { error } = await (kind === 'app' ? verifyTotp : verifyBackupCode)(schema.parse(values));
    if (!error) return onSignedIn();
    if (error.code && OVER.includes(error.code)) return onAgain(authErrorMessage(error));
    setProblem(authErrorMessage(error));
  };

  return (
    <form onSubmit={form.onSubmit(verify)} noValidate aria-label="Second factor">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput
          label={label}
          description={description}
          autoComplete="one-time-code"
          inputMode={kind === 'app' ? 'numeric' : 'text'}
          size="md"
          autoFocus
          key={form.key('code')}
          {...form.getInputProps('code')}
        />
        <Checkbox
          label="Do not ask on this device for 30 days"
          key={form.key('trustDevice')}
          {...form.getInputProps('trustDevice', { type: 'checkbox' })}
        />
        <Button type="submit" size="md" loading={form.submitting} mt="xs">
          Sign in
        </Button>
        <Text size="sm" ta="center">
          <Anchor component="button" type="button" size="sm" onClick={onOther}>
            {other}
          </Anchor>
        </Text>
        <Text size="sm" c="dimmed" ta="center">
          Lost both? Whoever runs this server can turn the second factor off.{' '}
          <Anchor component="button" type="button" size="sm" onClick={() => onAgain(null)}>
            Sign in as somebody else
          </Anchor>
        </Text>
      </Stack>
    </form>
  );
};
