import { graphql } from '../generated';

export const AdapterListFields = graphql(/* GraphQL */ `
  fragment AdapterListFields on Adapter {
    id
    slug
    name
    description
    status
    bytes
    createdAt
    lastUsedAt
    baseModel {
      id
      name
    }
    files {
      name
      bytes
      received
      sha256
    }
    summary {
      rankMin
      rankMax
      targetModules
    }
    source {
      repository
      revision
      path
      commit
    }
  }
`);

export const AdapterDetailFields = graphql(/* GraphQL */ `
  fragment AdapterDetailFields on Adapter {
    ...AdapterListFields
    sha256
    importWaitsFor
    baseModel {
      id
      name
      family
      license
      contextTokens
      promptNanoUsdPerToken
      completionNanoUsdPerToken
    }
    summary {
      rankMin
      rankMax
      targetModules
      layers
      parameters
      dtype
      rslora
      residentBytes
    }
    problems {
      code
      file
      path
      found
      expected
      message
    }
  }
`);

export const AdaptersDocument = graphql(/* GraphQL */ `
  query Adapters(
    $first: Int!
    $after: String
    $status: AdapterStatus
    $search: String
    $orderBy: AdapterOrder
  ) {
    tenant {
      id
      adapters(first: $first, after: $after, status: $status, search: $search, orderBy: $orderBy) {
        totalCount
        pageInfo {
          hasNextPage
          endCursor
        }
        nodes {
          ...AdapterListFields
        }
      }
    }
  }
`);

export const AdapterDocument = graphql(/* GraphQL */ `
  query Adapter($id: ID!) {
    adapter(id: $id) {
      ...AdapterDetailFields
    }
  }
`);

export const BaseModelsDocument = graphql(/* GraphQL */ `
  query BaseModels {
    baseModels {
      id
      name
      family
      license
      contextTokens
      promptNanoUsdPerToken
      completionNanoUsdPerToken
      runnersOnline
    }
  }
`);

export const CreateAdapterDocument = graphql(/* GraphQL */ `
  mutation CreateAdapter($input: CreateAdapterInput!) {
    createAdapter(input: $input) {
      uploadUrl
      adapter {
        ...AdapterListFields
      }
    }
  }
`);

export const HubDocument = graphql(/* GraphQL */ `
  query Hub {
    hubUrl
  }
`);

export const ImportAdapterDocument = graphql(/* GraphQL */ `
  mutation ImportAdapter($input: ImportAdapterInput!) {
    importAdapter(input: $input) {
      adapter {
        ...AdapterListFields
      }
    }
  }
`);

export const FinishAdapterUploadDocument = graphql(/* GraphQL */ `
  mutation FinishAdapterUpload($input: FinishAdapterUploadInput!) {
    finishAdapterUpload(input: $input) {
      adapter {
        ...AdapterDetailFields
      }
    }
  }
`);

export const UpdateAdapterDocument = graphql(/* GraphQL */ `
  mutation UpdateAdapter($input: UpdateAdapterInput!) {
    updateAdapter(input: $input) {
      adapter {
        ...AdapterDetailFields
      }
    }
  }
`);

export const DeleteAdapterDocument = graphql(/* GraphQL */ `
  mutation DeleteAdapter($input: DeleteAdapterInput!) {
    deleteAdapter(input: $input) {
      adapterId
    }
  }
`);
