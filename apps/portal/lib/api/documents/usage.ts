import { graphql } from '../generated';

export const UsageDocument = graphql(/* GraphQL */ `
  query Usage($input: UsageInput!) {
    tenant {
      id
      usage(input: $input) {
        from
        to
        rows {
          day
          baseModelId
          adapterId
          deploymentId
          target
          variant
          requests
          failedRequests
          promptTokens
          cachedTokens
          completionTokens
          amount
        }
        totals {
          requests
          failedRequests
          promptTokens
          cachedTokens
          completionTokens
          amount
        }
      }
    }
  }
`);

/** In groups of choice, of which the day is always one. */
export const UsageGroupsDocument = graphql(/* GraphQL */ `
  query UsageGroups($input: UsageInput!) {
    tenant {
      id
      usage(input: $input) {
        groups {
          day
          baseModelId
          adapterId
          deploymentId
          target
          variant
          apiKeyId
          apiKeyName
          requests
          failedRequests
          promptTokens
          cachedTokens
          completionTokens
          amount
        }
        totals {
          requests
          failedRequests
          promptTokens
          cachedTokens
          completionTokens
          amount
        }
      }
    }
  }
`);
