import { graphql } from '../generated';

export const AuditEventsDocument = graphql(/* GraphQL */ `
  query AuditEvents($first: Int!, $after: String, $filter: AuditFilter) {
    tenant {
      id
      auditEvents(first: $first, after: $after, filter: $filter) {
        totalCount
        pageInfo {
          hasNextPage
          endCursor
        }
        nodes {
          id
          createdAt
          actor {
            type
            id
            name
            handle
          }
          action
          resource {
            type
            id
            label
            exists
          }
          changes {
            field
            before
            after
          }
          requestId
          ipAddress
          userAgent
        }
      }
    }
  }
`);

/** What the log can be narrowed down to. */
export const AuditChoicesDocument = graphql(/* GraphQL */ `
  query AuditChoices {
    auditActions {
      name
      label
    }
    tenant {
      id
      auditActors {
        type
        id
        name
        handle
      }
    }
  }
`);
