'use client';
import { Badge, Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import { authClient } from '@/lib/api/auth-client';
import { Section } from '@/ui/section';
import { BackupCodesModal } from './backup-codes-modal';
import { TurnOffModal } from './turn-off-modal';
import { TurnOnModal } from './turn-on-modal';

type Doing = 'on' | 'off' | 'codes' | null;

/** Whether signing in asks for a code too. */
export const SecondFactor = () => {
  const { data, isPending } = authClient.useSession();
  const [doing, setDoing] = useState<Doing>(null);
  const isOn = data?.user.twoFactorEnabled ?? false;
  const close = (): void => setDoing(null);
  return (
    <Section
      title="Second factor"
      actions={
        <Badge variant="light" radius="sm" tt="none" color={isOn ? 'leaf' : 'gray'}>
          {isPending ? '…' : isOn ? 'On' : 'Off'}
        </Badge>
      }
    >
      <Text size="sm" c="dimmed">
        {isOn
          ? 'Signing in with your password asks for a code of your authenticator app too.'
          : 'Have signing in ask for a code of an authenticator app too, so that a stolen password opens nothing.'}
      </Text>
      <Group mt="md" gap="xs">
        {isOn ? (
          <>
            <Button variant="default" size="xs" onClick={() => setDoing('codes')}>
              New backup codes
            </Button>
            <Button variant="default" size="xs" onClick={() => setDoing('off')}>
              Turn off
            </Button>
          </>
        ) : (
          <Button variant="default" size="xs" disabled={isPending} onClick={() => setDoing('on')}>
            Turn on
          </Button>
        )}
      </Group>
      <TurnOnModal opened={doing === 'on'} onClose={close} />
      <BackupCodesModal opened={doing === 'codes'} onClose={close} />
      <TurnOffModal opened={doing === 'off'} onClose={close} />
    </Section>
  );
};
