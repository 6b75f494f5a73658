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
          completionTokens
          amount
        }
        totals {
          requests
          promptTokens
          completionTokens
          amount
        }
      }
    }
  }
`);
