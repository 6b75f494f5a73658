'use client';
import { Center, Loader } from '@mantine/core';
import { AuthFrame } from '@/features/session/auth-frame';
import { InvitationDocument } from '@/lib/api/documents/invitations';
import type { InvitationQuery } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ButtonLink } from '@/ui/button-link';
import { ErrorState } from '@/ui/error-state';
import { ClosedInvitation } from './closed-invitation';
import { OpenInvitation } from './open-invitation';

export type Invitation = NonNullable<InvitationQuery['invitation']>;

/** Where an invitation's link leads, for people with and without an account. */
export const InvitationPage = ({ id }: { id: string }) => {
  const { data, error, reload } = useApiQuery(InvitationDocument, { id });
  if (error && !data) {
    return (
      <AuthFrame title="Invitation" subtitle="To a workspace on Aril.">
        <ErrorState message={error.message} onRetry={reload} />
      </AuthFrame>
    );
  }
  if (!data) {
    return (
      <AuthFrame title="Invitation" subtitle="To a workspace on Aril.">
        <Center role="status" aria-label="Loading the invitation">
          <Loader type="dots" />
        </Center>
      </AuthFrame>
    );
  }
  const { invitation } = data;
  if (!invitation) {
    return (
      <AuthFrame
        title="There is no such invitation"
        subtitle="The link may have lost a part on its way. Copy it whole, or ask for it again."
      >
        <ButtonLink href="/" variant="default" size="md">
          Go to the portal
        </ButtonLink>
      </AuthFrame>
    );
  }
  if (invitation.state !== 'OPEN') return <ClosedInvitation invitation={invitation} state={invitation.state} />;
  return <OpenInvitation invitation={invitation} onAnswered={reload} />;
};
