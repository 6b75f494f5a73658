'use client';
import { Box, Code, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { QRCodeSVG } from 'qrcode.react';
import { useState } from 'react';
import { z } from 'zod';
import { authErrorMessage, type AuthFailure } from '@/features/session/auth-error';
import { appCode } from '@/features/session/codes';
import { authClient } from '@/lib/api/auth-client';
import { CopyButton } from '@/ui/copy-button';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { BackupCodes } from './backup-codes';
import { PasswordCheck } from './password-check';

interface Props {
  opened: boolean;
  onClose: () => void;
}

interface Secret {
  /** What the QR code says: an otpauth: address. */
  totpURI: string;
  backupCodes: readonly string[];
}

export const TurnOnModal = ({ opened, onClose }: Props) => (
  <Modal opened={opened} onClose={onClose} title="Turn on a second factor" closeOnClickOutside={false}>
    <Steps onClose={onClose} />
  </Modal>
);

/** The password; then the app, which proves that it has the secret; then the backup codes. */
const Steps = ({ onClose }: { onClose: () => void }) => {
  const [secret, setSecret] = useState<Secret | null>(null);
  const [isOn, setIsOn] = useState(false);
  const begin = async (password: string): Promise<AuthFailure | null> => {
    const { data, error } = await authClient.twoFactor.enable({ password });
    if (data && 'totpURI' in data) setSecret(data);
    return error;
  };
  if (!secret) {
    return (
      <PasswordCheck
        title="Your password first"
        explanation="You need an authenticator app, such as your password manager, Aegis or Google Authenticator."
        submit="Go on"
        onSubmit={begin}
        onCancel={onClose}
      />
    );
  }
  if (isOn) return <BackupCodes codes={secret.backupCodes} onDone={onClose} />;
  return <App totpURI={secret.totpURI} onTurnedOn={() => setIsOn(true)} onCancel={onClose} />;
};

const schema = z.object({ code: appCode });

const App = ({ totpURI, onTurnedOn, onCancel }: { totpURI: string; onTurnedOn: () => void; onCancel: () => void }) => {
  const key = new URL(totpURI).searchParams.get('secret') ?? '';
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm({ mode: 'uncontrolled', initialValues: { code: '' }, validate: schemaResolver(schema, { sync: true }) });
  const confirm = async (values: z.infer<typeof schema>): Promise<void> => {
    setProblem(null);
    const { error } = await authClient.twoFactor.verifyTotp(schema.parse(values));
    if (error) return setProblem(authErrorMessage(error));
    onTurnedOn();
  };
  return (
    <form onSubmit={form.onSubmit(confirm)} noValidate aria-label="Connect your app">
      <Stack>
        <FormProblem problem={problem} />
        <Text size="sm">Scan this with your authenticator app, or give it the key.</Text>
        {/* White around it in the dark too: cameras look for dark on light. */}
        <Box bg="white" p="sm" mx="auto" style={{ borderRadius: 'var(--mantine-radius-md)', lineHeight: 0 }}>
          <QRCodeSVG value={totpURI} size={176} title="QR code of the key" />
        </Box>
        <Group gap="xs" wrap="nowrap" justify="center">
          <Code data-testid="totp-key" style={{ overflowWrap: 'anywhere' }}>
            {key}
          </Code>
          <CopyButton value={key} what="key" />
        </Group>
        <TextInput
          label="Code"
          description="The six digits that the app shows now"
          autoComplete="one-time-code"
          inputMode="numeric"
          data-autofocus
          key={form.key('code')}
          {...form.getInputProps('code')}
        />
        <FormButtons submit="Turn on" busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
