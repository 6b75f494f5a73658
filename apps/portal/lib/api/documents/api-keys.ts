import { graphql } from '../generated';

export const ApiKeysDocument = graphql(/* GraphQL */ `
  query ApiKeys {
    tenant {
      id
      apiKeys {
        id
        name
        prefix
        createdAt
        lastUsedAt
        expiresAt
        permissions
        targets {
          id
          kind
          target
        }
        previousSecret {
          prefix
          worksUntil
          lastUsedAt
        }
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
      }
    }
  }
`);

export const CreateApiKeyDocument = graphql(/* GraphQL */ `
  mutation CreateApiKey($input: CreateApiKeyInput!) {
    createApiKey(input: $input) {
      secret
      apiKey {
        id
        name
        prefix
        createdAt
        lastUsedAt
        expiresAt
      }
    }
  }
`);

export const RotateApiKeyDocument = graphql(/* GraphQL */ `
  mutation RotateApiKey($input: RotateApiKeyInput!) {
    rotateApiKey(input: $input) {
      secret
      apiKey {
        id
      }
    }
  }
`);

export const UpdateApiKeyPermissionsDocument = graphql(/* GraphQL */ `
  mutation UpdateApiKeyPermissions($input: UpdateApiKeyPermissionsInput!) {
    updateApiKeyPermissions(input: $input) {
      apiKey {
        id
        permissions
      }
    }
  }
`);

export const UpdateApiKeyTargetsDocument = graphql(/* GraphQL */ `
  mutation UpdateApiKeyTargets($input: UpdateApiKeyTargetsInput!) {
    updateApiKeyTargets(input: $input) {
      apiKey {
        id
        targets {
          id
          kind
          target
        }
      }
    }
  }
`);

export const RevokeApiKeyDocument = graphql(/* GraphQL */ `
  mutation RevokeApiKey($input: RevokeApiKeyInput!) {
    revokeApiKey(input: $input) {
      apiKeyId
    }
  }
`);
