'use client';
import { Alert, Button, Center, Group, Loader, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { ROLES } from '@/features/settings/members/roles';
import { authErrorMessage, type AuthFailure } from '@/features/session/auth-error';
import { AuthFrame } from '@/features/session/auth-frame';
import { authHref } from '@/features/session/next-path';
import { useSignOut } from '@/features/session/use-sign-out';
import { authClient } from '@/lib/api/auth-client';
import { formatDateTime } from '@/lib/format/time';
import { ButtonLink } from '@/ui/button-link';
import { FormProblem } from '@/ui/form-problem';
import type { Invitation } from './invitation-page';
import { useRecipient } from './use-recipient';

interface Props {
  invitation: Invitation;
  onAnswered: () => void;
}

export const OpenInvitation = ({ invitation, onAnswered }: Props) => {
  const recipient = useRecipient(invitation.id);
  return (
    <AuthFrame
      title={`Join ${invitation.tenantName}`}
      subtitle={`${invitation.inviterName} invites ${invitation.emailHint} as ${ROLES[invitation.role].toLowerCase()}, until ${formatDateTime(invitation.expiresAt)}.`}
    >
      {recipient.state === 'unknown' && (
        <Center role="status" aria-label="Loading your account">
          <Loader type="dots" />
        </Center>
      )}
      {recipient.state === 'signedOut' && <SignInFirst invitation={invitation} />}
      {recipient.state === 'somebodyElse' && <WrongAccount invitation={invitation} email={recipient.email} />}
      {recipient.state === 'invited' && <Answer invitation={invitation} onAnswered={onAnswered} />}
    </AuthFrame>
  );
};

const SignInFirst = ({ invitation }: { invitation: Invitation }) => {
  const next = `/invitations/${invitation.id}`;
  return (
    <Stack>
      <Text size="sm">Sign in with the invited e-mail, or create an account for it, to accept or decline.</Text>
      <ButtonLink href={authHref('/sign-up', next)} size="md">
        Create an account
      </ButtonLink>
      <ButtonLink href={authHref('/sign-in', next)} size="md" variant="default">
        Sign in
      </ButtonLink>
    </Stack>
  );
};

const WrongAccount = ({ invitation, email }: { invitation: Invitation; email: string }) => {
  const signOut = useSignOut(authHref('/sign-in', `/invitations/${invitation.id}`));
  return (
    <Stack>
      <Alert color="amber" title="This invitation is for another account">
        You are signed in as {email}; it was sent to {invitation.emailHint}. Sign out and come back with that
        address, or ask {invitation.inviterName} to invite {email}.
      </Alert>
      <Button size="md" onClick={() => void signOut()}>
        Sign out
      </Button>
      <ButtonLink href="/" size="md" variant="default">
        Go to the portal
      </ButtonLink>
    </Stack>
  );
};

const Answer = ({ invitation, onAnswered }: Props) => {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const invitationId = invitation.id;
  const run = async (
    call: () => Promise<{ error: AuthFailure | null }>,
    then: () => void,
  ): Promise<void> => {
    setBusy(true);
    const { error } = await call();
    setBusy(false);
    if (error) setProblem(authErrorMessage(error));
    else then();
  };
  // A full load, so that nothing of another workspace stays in the browser's memory.
  const enter = (): void => window.location.assign('/');
  return (
    <Stack>
      <FormProblem problem={problem} />
      <Group grow>
        <Button
          size="md"
          disabled={busy}
          onClick={() => void run(() => authClient.organization.acceptInvitation({ invitationId }), enter)}
        >
          Accept
        </Button>
        <Button
          size="md"
          variant="default"
          disabled={busy}
          onClick={() => void run(() => authClient.organization.rejectInvitation({ invitationId }), onAnswered)}
        >
          Decline
        </Button>
      </Group>
    </Stack>
  );
};
