import { graphql } from '../generated';

export const BudgetDocument = graphql(/* GraphQL */ `
  query Budget {
    tenant {
      id
      budget {
        soft
        hard
        spent
        reserved
        resetsAt
      }
    }
  }
`);

export const LimitsDocument = graphql(/* GraphQL */ `
  query Limits {
    tenant {
      id
      limits {
        requestsPerMinute
        tokensPerMinute
        parallelRequests
      }
      budget {
        soft
        hard
        spent
        reserved
        resetsAt
      }
      limitCeilings {
        requestsPerMinute
        tokensPerMinute
        parallelRequests
        budgetHard
      }
    }
  }
`);

export const UpdateTenantLimitsDocument = graphql(/* GraphQL */ `
  mutation UpdateTenantLimits($input: UpdateTenantLimitsInput!) {
    updateTenantLimits(input: $input) {
      tenant {
        id
        limits {
          requestsPerMinute
        }
        budget {
          hard
        }
      }
    }
  }
`);

export const UpdateApiKeyLimitsDocument = graphql(/* GraphQL */ `
  mutation UpdateApiKeyLimits($input: UpdateApiKeyLimitsInput!) {
    updateApiKeyLimits(input: $input) {
      apiKey {
        id
        limits {
          requestsPerMinute
        }
        budget {
          hard
        }
      }
    }
  }
`);
