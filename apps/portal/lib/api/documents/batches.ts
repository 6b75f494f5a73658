import { graphql } from '../generated';

export const BatchFields = graphql(/* GraphQL */ `
  fragment BatchFields on Batch {
    id
    status
    endpoint
    total
    completed
    failed
    inputFileId
    inputFileName
    outputFileId
    errorFileId
    createdAt
    expiresAt
    endedAt
  }
`);

export const BatchesDocument = graphql(/* GraphQL */ `
  query Batches($first: Int!, $after: String) {
    tenant {
      id
      batches(first: $first, after: $after) {
        totalCount
        pageInfo {
          hasNextPage
          endCursor
        }
        nodes {
          ...BatchFields
        }
      }
    }
  }
`);

export const BatchDocument = graphql(/* GraphQL */ `
  query Batch($id: ID!) {
    batch(id: $id) {
      ...BatchFields
      problems {
        code
        message
        line
        param
      }
    }
  }
`);

export const CreateBatchDocument = graphql(/* GraphQL */ `
  mutation CreateBatch($input: CreateBatchInput!) {
    createBatch(input: $input) {
      batch {
        ...BatchFields
      }
    }
  }
`);

export const CancelBatchDocument = graphql(/* GraphQL */ `
  mutation CancelBatch($input: CancelBatchInput!) {
    cancelBatch(input: $input) {
      batch {
        ...BatchFields
      }
    }
  }
`);
