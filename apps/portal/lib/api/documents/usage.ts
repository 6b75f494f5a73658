import { graphql } from '../generated';

export const UsageRowFields = graphql(/* GraphQL */ `
  fragment UsageRowFields on UsageRow {
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
`);

export const UsageTotalsFields = graphql(/* GraphQL */ `
  fragment UsageTotalsFields on UsageTotals {
    requests
    failedRequests
    promptTokens
    cachedTokens
    completionTokens
    amount
  }
`);

export const UsageDocument = graphql(/* GraphQL */ `
  query Usage($input: UsageInput!) {
    tenant {
      id
      usage(input: $input) {
        from
        to
        rows {
          ...UsageRowFields
        }
        totals {
          ...UsageTotalsFields
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
          ...UsageTotalsFields
        }
      }
    }
  }
`);
