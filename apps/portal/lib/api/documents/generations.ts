import { graphql } from '../generated';

export const StartGenerationDocument = graphql(/* GraphQL */ `
  mutation StartGeneration($input: GenerateInput!) {
    startGeneration(input: $input) {
      generation {
        id
        status
        target
        variant
      }
    }
  }
`);

export const CancelGenerationDocument = graphql(/* GraphQL */ `
  mutation CancelGeneration($input: CancelGenerationInput!) {
    cancelGeneration(input: $input) {
      generation {
        id
        status
      }
    }
  }
`);

export const GenerationDocument = graphql(/* GraphQL */ `
  query Generation($id: ID!) {
    generation(id: $id) {
      id
      status
      text
      finishReason
      promptTokens
      completionTokens
      amount
      queueMs
      ttftMs
      totalMs
      error {
        code
        message
        retryable
      }
    }
  }
`);

export const GenerationEventsDocument = graphql(/* GraphQL */ `
  subscription GenerationEvents($generationId: ID!, $after: Int!) {
    generationEvents(generationId: $generationId, after: $after) {
      __typename
      ... on GenerationPrompt {
        seq
      }
      ... on GenerationTokens {
        seq
        text
        reasoning
        tokenCount
      }
      ... on GenerationChoiceEnd {
        seq
        text
      }
      ... on GenerationEnd {
        seq
        text
        reasoning
        finishReason
        promptTokens
        cachedTokens
        completionTokens
        reasoningTokens
        error {
          code
          message
          retryable
        }
      }
    }
  }
`);
