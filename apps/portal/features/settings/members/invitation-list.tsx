'use client';
import { Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { authErrorMessage } from '@/features/session/auth-error';
import { authClient } from '@/lib/api/auth-client';
import type { InvitationsQuery } from '@/lib/api/generated/graphql';
import type { ApiQuery } from '@/lib/api/use-api-query';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { askFirst } from '@/ui/confirm';
import { CopyButton } from '@/ui/copy-button';
import { ErrorState } from '@/ui/error-state';
import { Section } from '@/ui/section';
import { invitationLink } from './invitation-link';
import { ROLES } from './roles';

type Invitation = InvitationsQuery['tenant']['invitations'][number];

export const InvitationList = ({ data, error, reload }: ApiQuery<InvitationsQuery>) => (
  <Section title="Open invitations" description="A link lets in the invited address only, once.">
    {error && !data ? (
      <ErrorState message={error.message} onRetry={reload} />
    ) : !data ? (
      <Skeleton height={44} role="status" aria-label="Loading invitations" />
    ) : data.tenant.invitations.length === 0 ? (
      <Text size="sm" c="dimmed">
        Nobody is invited at the moment.
      </Text>
    ) : (
      <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Open invitations">
        {data.tenant.invitations.map((invitation) => (
          <Row key={invitation.id} invitation={invitation} onRevoked={reload} />
        ))}
      </Stack>
    )}
  </Section>
);

const Row = ({ invitation, onRevoked }: { invitation: Invitation; onRevoked: () => void }) => {
  const { id, email, role, expiresAt, inviter } = invitation;
  const revoke = async (): Promise<void> => {
    const { error } = await authClient.organization.cancelInvitation({ invitationId: id });
    notifications.show(
      error
        ? { color: 'red', title: 'The invitation was not revoked', message: authErrorMessage(error) }
        : { color: 'leaf', title: 'Invitation revoked', message: `The link for ${email} no longer works.` },
    );
    onRevoked();
  };
  const ask = () =>
    askFirst({
      title: 'Revoke invitation',
      question: `Revoke the invitation of ${email}? Its link stops working at once.`,
      confirm: 'Revoke',
      cancel: 'Keep it',
      onConfirm: () => void revoke(),
    });
  return (
    <Group component="li" justify="space-between" wrap="nowrap" gap="sm">
      <div style={{ overflowWrap: 'anywhere' }}>
        <Text size="sm" fw={500}>
          {email}
        </Text>
        <Text size="xs" c="dimmed" title={formatDateTime(expiresAt)}>
          {ROLES[role]}
          {inviter && `, invited by ${inviter.name}`}, expires {formatRelative(expiresAt)}
        </Text>
      </div>
      <Group gap={4} wrap="nowrap">
        <CopyButton value={invitationLink(id)} what={`link for ${email}`} />
        <Button size="compact-sm" variant="subtle" color="red" onClick={ask} aria-label={`Revoke ${email}`}>
          Revoke
        </Button>
      </Group>
    </Group>
  );
};
