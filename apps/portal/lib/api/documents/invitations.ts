import { graphql } from '../generated';

export const InvitationsDocument = graphql(/* GraphQL */ `
  query Invitations {
    tenant {
      id
      mailsInvitations
      invitations {
        id
        email
        role
        expiresAt
        inviter {
          id
          name
        }
      }
    }
  }
`);

export const InvitationDocument = graphql(/* GraphQL */ `
  query Invitation($id: ID!) {
    invitation(id: $id) {
      id
      state
      tenantName
      inviterName
      role
      emailHint
      expiresAt
    }
  }
`);
