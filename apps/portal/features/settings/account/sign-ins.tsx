'use client';
import { Badge, Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { authErrorMessage, type AuthFailure } from '@/features/session/auth-error';
import { authClient } from '@/lib/api/auth-client';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { askFirst } from '@/ui/confirm';
import { ErrorState } from '@/ui/error-state';
import { Section } from '@/ui/section';
import { browserName } from './browser-name';
import { type SignIn, useSignIns } from './use-sign-ins';

/** Where the viewer is signed in, and the way to end that elsewhere. */
export const SignIns = () => {
  const { signIns, failure, reload } = useSignIns();
  const end = async (call: () => Promise<{ error: AuthFailure | null }>): Promise<void> => {
    const { error } = await call();
    notifications.show(
      error
        ? { color: 'red', title: 'Still signed in there', message: authErrorMessage(error) }
        : { color: 'leaf', title: 'Signed out', message: 'The portal asks for your password there.' },
    );
    reload();
  };
  const endOthers = () =>
    askFirst({
      title: 'Sign out everywhere else',
      question: 'End all your sessions but this one? What runs in them stops within seconds.',
      confirm: 'Sign out',
      onConfirm: () => void end(() => authClient.revokeOtherSessions()),
    });
  return (
    <Section
      title="Where you are signed in"
      actions={
        signIns && signIns.length > 1 && (
          <Button variant="default" size="xs" onClick={endOthers}>
            Sign out everywhere else
          </Button>
        )
      }
    >
      {failure ? (
        <ErrorState message={authErrorMessage(failure)} onRetry={reload} />
      ) : !signIns ? (
        <Skeleton height={44} role="status" aria-label="Loading where you are signed in" />
      ) : (
        <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Where you are signed in">
          {signIns.map((signIn) => (
            <Row
              key={signIn.id}
              signIn={signIn}
              onEnd={() => void end(() => authClient.revokeSession({ token: signIn.token }))}
            />
          ))}
        </Stack>
      )}
    </Section>
  );
};

const Row = ({ signIn, onEnd }: { signIn: SignIn; onEnd: () => void }) => {
  const name = browserName(signIn.userAgent);
  const since = signIn.createdAt.toISOString();
  return (
    <Group component="li" justify="space-between" wrap="nowrap" gap="sm">
      <div style={{ overflowWrap: 'anywhere' }}>
        <Text size="sm" fw={500}>
          {name}
        </Text>
        <Text size="xs" c="dimmed" title={formatDateTime(since)}>
          {signIn.ipAddress && `${signIn.ipAddress}, `}since {formatRelative(since)}
        </Text>
      </div>
      {signIn.isCurrent ? (
        <Badge variant="light" radius="sm" tt="none">
          Here
        </Badge>
      ) : (
        <Button size="compact-sm" variant="subtle" color="red" onClick={onEnd} aria-label={`Sign out ${name}`}>
          Sign out
        </Button>
      )}
    </Group>
  );
};
