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
          target
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
