import { graphql } from '../generated';

export const DeploymentFields = graphql(/* GraphQL */ `
  fragment DeploymentFields on Deployment {
    id
    slug
    name
    description
    createdAt
    updatedAt
    baseModel {
      id
      name
    }
    variants {
      id
      target
      weight
      share
      adapter {
        id
      }
    }
  }
`);

export const DeploymentsDocument = graphql(/* GraphQL */ `
  query Deployments($first: Int!, $after: String, $search: String) {
    tenant {
      id
      deployments(first: $first, after: $after, search: $search) {
        totalCount
        pageInfo {
          hasNextPage
          endCursor
        }
        nodes {
          ...DeploymentFields
        }
      }
    }
  }
`);

export const DeploymentDocument = graphql(/* GraphQL */ `
  query Deployment($id: ID!) {
    deployment(id: $id) {
      ...DeploymentFields
    }
  }
`);

/** Beside each other and by day: one look at the same range. */
export const ComparisonDocument = graphql(/* GraphQL */ `
  query Comparison($id: ID!, $range: ComparisonInput!, $usage: UsageInput!) {
    deployment(id: $id) {
      id
      comparison(input: $range) {
        variants {
          target
          adapterId
          variant {
            id
            weight
            share
          }
          requests
          failedRequests
          promptTokens
          completionTokens
          amount
          ttftMsP50
          ttftMsP95
          totalMsP50
          totalMsP95
        }
      }
    }
    tenant {
      id
      usage(input: $usage) {
        rows {
          ...UsageRowFields
        }
      }
    }
  }
`);

export const CreateDeploymentDocument = graphql(/* GraphQL */ `
  mutation CreateDeployment($input: CreateDeploymentInput!) {
    createDeployment(input: $input) {
      deployment {
        ...DeploymentFields
      }
    }
  }
`);

export const UpdateDeploymentDocument = graphql(/* GraphQL */ `
  mutation UpdateDeployment($input: UpdateDeploymentInput!) {
    updateDeployment(input: $input) {
      deployment {
        ...DeploymentFields
      }
    }
  }
`);

export const DeleteDeploymentDocument = graphql(/* GraphQL */ `
  mutation DeleteDeployment($input: DeleteDeploymentInput!) {
    deleteDeployment(input: $input) {
      deploymentId
    }
  }
`);
