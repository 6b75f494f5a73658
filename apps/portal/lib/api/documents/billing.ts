import { graphql } from '../generated';

export const StatementFields = graphql(/* GraphQL */ `
  fragment StatementFields on Statement {
    id
    month
    status
    number
    amount
    issuedAt
    totals {
      requests
      failedRequests
      promptTokens
      cachedTokens
      completionTokens
    }
  }
`);

export const BillingDocument = graphql(/* GraphQL */ `
  query Billing($first: Int!) {
    tenant {
      id
      openStatements {
        ...StatementFields
      }
      statements(first: $first) {
        nodes {
          id
          month
          number
          amount
          issuedAt
        }
      }
    }
  }
`);

export const StatementDocument = graphql(/* GraphQL */ `
  query Statement($id: ID!) {
    statement(id: $id) {
      ...StatementFields
      currency
      contentSha256
      billTo {
        tenantName
        legalName
        address
        taxId
        email
      }
      lines {
        id
        position
        serviceMonth
        adjustment
        baseModelId
        adapterId
        target
        variant
        apiKeyId
        apiKeyName
        promptNanoUsdPerToken
        completionNanoUsdPerToken
        requests
        failedRequests
        promptTokens
        cachedTokens
        completionTokens
        amount
      }
    }
  }
`);

export const LineGenerationsDocument = graphql(/* GraphQL */ `
  query LineGenerations($id: ID!, $line: ID!, $first: Int!, $after: String) {
    statement(id: $id) {
      id
      line(id: $line) {
        id
        generations(first: $first, after: $after) {
          totalCount
          pageInfo {
            hasNextPage
            endCursor
          }
          nodes {
            id
            at
            failed
            promptTokens
            cachedTokens
            completionTokens
            amount
          }
        }
      }
    }
  }
`);

export const BillingDetailsFields = graphql(/* GraphQL */ `
  fragment BillingDetailsFields on BillingDetails {
    legalName
    address
    taxId
    email
  }
`);

export const BillingDetailsDocument = graphql(/* GraphQL */ `
  query BillingDetails {
    tenant {
      id
      billingDetails {
        ...BillingDetailsFields
      }
    }
  }
`);

export const UpdateBillingDetailsDocument = graphql(/* GraphQL */ `
  mutation UpdateBillingDetails($input: UpdateBillingDetailsInput!) {
    updateBillingDetails(input: $input) {
      billingDetails {
        ...BillingDetailsFields
      }
    }
  }
`);
