import { graphql } from '../generated';

export const SessionDocument = graphql(/* GraphQL */ `
  query Session {
    viewer {
      id
      name
      email
    }
    tenant {
      id
      name
      slug
      createdAt
      members {
        id
        role
        user {
          id
          name
          email
        }
      }
      storage {
        bytesUsed
        bytesMax
      }
    }
  }
`);
