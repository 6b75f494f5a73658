import { organization } from 'better-auth/plugins/organization';
import type { Config } from '../../base/config/config.js';
import type { Outbox } from '../../integrations/mail/mailer.js';
import { invitationMail } from './invitation-mail.js';

const DAY_S = 24 * 60 * 60;

/**
 * Paths of Better Auth that nobody needs and that say too much: an invitation's id is its link, so the lists that show
 * ids to every member are GraphQL's (`core/invitations`), which asks who may see them; and slugs are not to be guessed.
 */
export const CLOSED_PATHS = ['list-invitations', 'list-user-invitations', 'get-full-organization', 'check-slug'].map(
  (name) => `/organization/${name}`,
);

/** Tenants are Better Auth's organizations. Their rows outlive them for the ledger's sake: they cannot be deleted here. */
export function tenantsPlugin({ PORTAL_URL: [portalUrl] }: Config, mailer: Outbox) {
  return organization({
    organizationLimit: 10,
    membershipLimit: 500,
    invitationLimit: 100,
    invitationExpiresIn: 7 * DAY_S,
    // Asking again makes a new link, perhaps for another role, and voids the old one.
    cancelPendingInvitationsOnReInvite: true,
    // The link is the proof: it goes to the invited address, or from the inviter's hand.
    requireEmailVerificationOnInvitation: false,
    sendInvitationEmail: (invitation) => Promise.resolve(mailer.post(invitationMail(invitation, portalUrl ?? ''))),
    disableOrganizationDeletion: true,
    schema: {
      organization: { modelName: 'tenant' },
      member: { modelName: 'membership', fields: { organizationId: 'tenantId' } },
      invitation: { modelName: 'invitation', fields: { organizationId: 'tenantId' } },
      session: { fields: { activeOrganizationId: 'activeTenantId' } },
    },
  });
}
