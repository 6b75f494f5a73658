/** Generations through the API's own doors, and a look at what they left in the database. */
import pg from 'pg';
import { type Credentials, data, graphql, type GraphqlAnswer, TEST_MODEL, type TestApp } from './harness.js';

export interface GenerationAnswer {
  id: string;
  status: string;
  target: string;
  baseModelId: string;
  adapterId: string | null;
  deploymentId: string | null;
  variant: string;
  text: string | null;
  reasoning: string | null;
  finishReason: string | null;
  choices: { index: number; text: string; reasoning: string | null; finishReason: string; completionTokens: number; reasoningTokens: number }[] | null;
  promptTokens: number | null;
  cachedTokens: number | null;
  completionTokens: number | null;
  reasoningTokens: number | null;
  predictionTokens: { accepted: number; rejected: number } | null;
  amount: string | null;
  error: { code: string; message: string; retryable: boolean } | null;
  queueMs: number | null;
  finishedAt: string | null;
}

export const CHOICE_FIELDS = 'choices { index text reasoning finishReason completionTokens reasoningTokens }';

export const GENERATION_FIELDS = `
  id status target baseModelId adapterId deploymentId variant text reasoning finishReason promptTokens cachedTokens completionTokens reasoningTokens predictionTokens { accepted rejected } amount ${CHOICE_FIELDS}
  error { code message retryable } createdAt finishedAt queueMs ttftMs totalMs`;

type Input = Record<string, unknown>;
const INPUT = { target: TEST_MODEL, prompt: 'Tell me a story' };

function call<K extends 'generate' | 'startGeneration'>(
  field: K,
  test: TestApp,
  credentials: Credentials,
  input: Input,
): Promise<GraphqlAnswer<Record<K, { generation: GenerationAnswer }>>> {
  const query = `mutation ($input: GenerateInput!) { ${field}(input: $input) { generation { ${GENERATION_FIELDS} } } }`;
  return graphql(test, credentials, query, { input: { ...INPUT, ...input } });
}

export const tryGenerate = (test: TestApp, credentials: Credentials, input: Input = {}) => call('generate', test, credentials, input);

export const tryStart = (test: TestApp, credentials: Credentials, input: Input = {}) => call('startGeneration', test, credentials, input);

export async function generate(test: TestApp, credentials: Credentials, input: Input = {}): Promise<GenerationAnswer> {
  return (await data(call('generate', test, credentials, input))).generate.generation;
}

export async function startGeneration(test: TestApp, credentials: Credentials, input: Input = {}): Promise<GenerationAnswer> {
  return (await data(call('startGeneration', test, credentials, input))).startGeneration.generation;
}

export function tryFind(test: TestApp, credentials: Credentials, id: string): Promise<GraphqlAnswer<{ generation: GenerationAnswer }>> {
  return graphql(test, credentials, `query ($id: ID!) { generation(id: $id) { ${GENERATION_FIELDS} } }`, { id });
}

export async function find(test: TestApp, credentials: Credentials, id: string): Promise<GenerationAnswer> {
  return (await data(tryFind(test, credentials, id))).generation;
}

export function tryCancel(
  test: TestApp,
  credentials: Credentials,
  id: string,
): Promise<GraphqlAnswer<{ cancelGeneration: { generation: GenerationAnswer } }>> {
  const query = `mutation ($id: ID!) { cancelGeneration(input: { generationId: $id }) { generation { ${GENERATION_FIELDS} } } }`;
  return graphql(test, credentials, query, { id });
}

/** Runs a query as the database's owner, who sees every tenant's rows. */
export async function sql<T extends pg.QueryResultRow>(test: TestApp, text: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: test.ownerUrl });
  await client.connect();
  try {
    return (await client.query<T>(text, values)).rows;
  } finally {
    await client.end();
  }
}

export interface LedgerRow extends pg.QueryResultRow {
  tenant_id: string;
  generation_id: string;
  failed: boolean;
  prompt_tokens: number;
  completion_tokens: number;
  amount_nano_usd: string;
}

export const ledgerOf = (test: TestApp, generationId: string): Promise<LedgerRow[]> =>
  sql<LedgerRow>(test, 'SELECT * FROM ledger_entries WHERE generation_id = $1', [generationId]);

/** The code of the first error, or null. */
export const reasonOf = (answer: GraphqlAnswer<unknown>): string | null => answer.errors?.[0]?.extensions.reason ?? answer.errors?.[0]?.extensions.code ?? null;
