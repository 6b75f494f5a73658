/** GraphQL as a program with an API key uses it. */
import { createClient } from 'graphql-sse';
import { stack } from './stack.js';

export interface TokensEvent {
  __typename: 'GenerationTokens';
  seq: number;
  text: string;
  tokenCount: number;
}
export interface EndEvent {
  __typename: 'GenerationEnd';
  seq: number;
  text: string;
  finishReason: string;
  promptTokens: number;
  completionTokens: number;
  error: { code: string; message: string } | null;
}
export type GenerationEvent = TokensEvent | EndEvent;

export interface Generation {
  id: string;
  status: string;
  text: string | null;
  finishReason: string | null;
  promptTokens: number | null;
  completionTokens: number | null;
}

const GENERATION = 'id status text finishReason promptTokens completionTokens';

export async function query<T>(apiKey: string, document: string, variables: object = {}): Promise<T> {
  const response = await fetch(`${stack.apiUrl}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: document, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown[] };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

export interface GenerateInput {
  target: string;
  messages: { role: string; content: string }[];
  sampling: { temperature?: number; maxTokens?: number; ignoreEos?: boolean; seed?: number };
  idempotencyKey?: string;
}

export async function startGeneration(apiKey: string, input: GenerateInput): Promise<Generation> {
  const document = `mutation ($input: GenerateInput!) { startGeneration(input: $input) { generation { ${GENERATION} } } }`;
  return (await query<{ startGeneration: { generation: Generation } }>(apiKey, document, { input }))
    .startGeneration.generation;
}

export async function generate(apiKey: string, input: GenerateInput): Promise<Generation> {
  const document = `mutation ($input: GenerateInput!) { generate(input: $input) { generation { ${GENERATION} } } }`;
  return (await query<{ generate: { generation: Generation } }>(apiKey, document, { input })).generate
    .generation;
}

export async function readGeneration(apiKey: string, id: string): Promise<Generation> {
  return (
    await query<{ generation: Generation }>(
      apiKey,
      `query ($id: ID!) { generation(id: $id) { ${GENERATION} } }`,
      { id },
    )
  ).generation;
}

/** Events after number `after`, until the end event or until the connection breaks (which throws). */
export async function* follow(
  apiKey: string,
  generationId: string,
  after = 0,
): AsyncGenerator<GenerationEvent> {
  const client = createClient({
    url: `${stack.apiUrl}/graphql/stream`,
    headers: { authorization: `Bearer ${apiKey}` },
    retryAttempts: 0,
  });
  const events = client.iterate<{ generationEvents: GenerationEvent }>({
    query: `subscription ($id: ID!, $after: Int) { generationEvents(generationId: $id, after: $after) {
      __typename
      ... on GenerationTokens { seq text tokenCount }
      ... on GenerationEnd { seq text finishReason promptTokens completionTokens error { code message } } } }`,
    variables: { id: generationId, after },
  });
  try {
    for await (const { data, errors } of events) {
      if (errors) throw new Error(JSON.stringify(errors));
      if (data) yield data.generationEvents;
    }
  } finally {
    client.dispose();
  }
}

export interface UsageTotals {
  requests: number;
  promptTokens: number;
  completionTokens: number;
  amount: string;
}

const DAY_MS = 86_400_000;

/** What the tenant was charged for since yesterday, by target. */
export async function usage(
  apiKey: string,
): Promise<{ totals: UsageTotals; rows: ({ target: string } & UsageTotals)[] }> {
  const input = {
    from: new Date(Date.now() - DAY_MS).toISOString(),
    to: new Date(Date.now() + DAY_MS).toISOString(),
  };
  const fields = 'requests promptTokens completionTokens amount';
  const document = `query ($input: UsageInput!) { tenant { usage(input: $input) { totals { ${fields} } rows { target ${fields} } } } }`;
  return (
    await query<{ tenant: { usage: { totals: UsageTotals; rows: ({ target: string } & UsageTotals)[] } } }>(
      apiKey,
      document,
      { input },
    )
  ).tenant.usage;
}
