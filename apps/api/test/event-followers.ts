/** Followers of generations over both transports of subscriptions. */
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Credentials, TestApp } from './harness.js';

export interface Event {
  __typename: 'GenerationTokens' | 'GenerationChoiceEnd' | 'GenerationEnd';
  seq: number;
  choice: number;
  logprobs?: { text: string }[] | null;
  text: string;
  reasoning: string;
  tokenCount?: number;
  finishReason?: string;
  promptTokens?: number;
  completionTokens?: number;
  reasoningTokens?: number;
  predictionTokens?: { accepted: number; rejected: number } | null;
  error?: { code: string } | null;
}
export interface Result {
  data?: { generationEvents: Event } | null;
  errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}
export type Follow = (test: TestApp, credentials: Credentials, generationId: string, after?: number) => AsyncIterableIterator<Result>;

const QUERY = `subscription ($generationId: ID!, $after: Int) {
  generationEvents(generationId: $generationId, after: $after) {
    __typename
    ... on GenerationTokens { seq choice text reasoning tokenCount logprobs { text top { text } } }
    ... on GenerationChoiceEnd { seq choice text reasoning finishReason }
    ... on GenerationEnd { seq choice text reasoning finishReason promptTokens cachedTokens completionTokens reasoningTokens predictionTokens { accepted rejected } error { code } }
  }
}`;

export const overSocket: Follow = (test, credentials, generationId, after = 0) => {
  const { cookie, ...connectionParams } = credentials;
  class Socket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { headers: cookie ? { cookie } : {} });
    }
  }
  const client = createSocketClient({ url: `${test.url.replace('http', 'ws')}/graphql`, webSocketImpl: Socket, connectionParams, retryAttempts: 0 });
  return client.iterate({ query: QUERY, variables: { generationId, after } }) as AsyncIterableIterator<Result>;
};

export const overSse: Follow = (test, credentials, generationId, after = 0) => {
  const client = createSseClient({ url: `${test.url}/graphql/stream`, headers: credentials, retryAttempts: 0 });
  return client.iterate({ query: QUERY, variables: { generationId, after } }) as AsyncIterableIterator<Result>;
};

export async function all(results: AsyncIterableIterator<Result>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const { data, errors } of results) {
    if (errors || !data) throw new Error(String(errors?.[0]?.extensions?.['reason'] ?? errors?.[0]?.message));
    events.push(data.generationEvents);
  }
  return events;
}
