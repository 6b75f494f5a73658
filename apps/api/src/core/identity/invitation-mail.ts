import type { Mail } from '../../integrations/mail/mailer.js';

interface SentInvitation {
  id: string;
  email: string;
  organization: { name: string };
  inviter: { user: { name: string; email: string } };
}

/** Plain text: names in it are other people's words and must not become markup. */
export function invitationMail({ id, email, organization, inviter }: SentInvitation, portalUrl: string): Mail {
  const { user } = inviter;
  return {
    to: email,
    subject: `${user.name} invites you to ${organization.name} on Aril`,
    text: [
      `${user.name} (${user.email}) invites you to work in ${organization.name} on Aril.`,
      `Accept or decline here, with this e-mail address:\n${portalUrl}/invitations/${id}`,
      'If you did not expect this, you need not do anything: the invitation expires by itself.',
    ].join('\n\n'),
  };
}
