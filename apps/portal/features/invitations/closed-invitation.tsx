import { AuthFrame } from '@/features/session/auth-frame';
import { formatDateTime } from '@/lib/format/time';
import { ButtonLink } from '@/ui/button-link';
import type { Invitation } from './invitation-page';

type ClosedState = Exclude<Invitation['state'], 'OPEN'>;

/** What has become of it, and what to do now. */
const told = (
  { inviterName, tenantName, expiresAt }: Invitation,
  state: ClosedState,
): { title: string; subtitle: string } => {
  const askAgain = `Ask ${inviterName} for a new one if you want to join ${tenantName}.`;
  switch (state) {
    case 'ACCEPTED':
      return {
        title: 'This invitation was accepted',
        subtitle: `Sign in with the invited e-mail to work in ${tenantName}. A link works once.`,
      };
    case 'DECLINED':
      return { title: 'This invitation was declined', subtitle: askAgain };
    case 'EXPIRED':
      return {
        title: 'This invitation has expired',
        subtitle: `It was open until ${formatDateTime(expiresAt)}. ${askAgain}`,
      };
    case 'REVOKED':
      return {
        title: 'This invitation was withdrawn',
        subtitle: `It was revoked or replaced by a newer one. ${askAgain}`,
      };
  }
};

export const ClosedInvitation = ({ invitation, state }: { invitation: Invitation; state: ClosedState }) => (
  <AuthFrame {...told(invitation, state)}>
    <ButtonLink href="/" variant="default" size="md">
      Go to the portal
    </ButtonLink>
  </AuthFrame>
);
