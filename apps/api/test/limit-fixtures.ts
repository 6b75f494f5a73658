/** Limits and budgets through the API's own doors. */
import { type Credentials, data, graphql, type GraphqlAnswer, type TestApp, type TestUser } from './harness.js';

export interface LimitsAnswer {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  parallelRequests: number | null;
}
export interface BudgetAnswer {
  soft: string | null;
  hard: string | null;
  spent: string;
  reserved: string;
  resetsAt: string;
}
export interface LimitedAnswer {
  limits: LimitsAnswer;
  budget: BudgetAnswer;
}
export interface KeyAnswer extends LimitedAnswer {
  id: string;
  name: string;
}

const FIELDS = 'limits { requestsPerMinute tokensPerMinute parallelRequests } budget { soft hard spent reserved resetsAt }';
const UPDATE_TENANT = `mutation ($input: UpdateTenantLimitsInput!) { updateTenantLimits(input: $input) { tenant { ${FIELDS} } } }`;
const UPDATE_KEY = `mutation ($input: UpdateApiKeyLimitsInput!) { updateApiKeyLimits(input: $input) { apiKey { id name ${FIELDS} } } }`;

type Input = Record<string, unknown>;

export const trySetLimits = (test: TestApp, as: Credentials, input: Input): Promise<GraphqlAnswer<{ updateTenantLimits: { tenant: LimitedAnswer } }>> =>
  graphql(test, as, UPDATE_TENANT, { input });

export const setLimits = async (test: TestApp, { cookie }: TestUser, input: Input): Promise<LimitedAnswer> =>
  (await data(trySetLimits(test, cookie, input))).updateTenantLimits.tenant;

export const trySetKeyLimits = (test: TestApp, as: Credentials, input: Input): Promise<GraphqlAnswer<{ updateApiKeyLimits: { apiKey: KeyAnswer } }>> =>
  graphql(test, as, UPDATE_KEY, { input });

export const setKeyLimits = async (test: TestApp, { cookie }: TestUser, input: Input): Promise<KeyAnswer> =>
  (await data(trySetKeyLimits(test, cookie, input))).updateApiKeyLimits.apiKey;

export const limitsOf = async (test: TestApp, as: Credentials): Promise<LimitedAnswer> =>
  (await data(graphql<{ tenant: LimitedAnswer }>(test, as, `{ tenant { ${FIELDS} } }`))).tenant;

export const keysOf = async (test: TestApp, { cookie }: TestUser): Promise<KeyAnswer[]> =>
  (await data(graphql<{ tenant: { apiKeys: KeyAnswer[] } }>(test, cookie, `{ tenant { apiKeys { id name ${FIELDS} } } }`))).tenant.apiKeys;

/** A completion through `/v1`, its status and headers for the test to look at. */
export const postCompletion = (test: TestApp, key: Credentials, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${test.url}/v1/completions`, { method: 'POST', headers: { 'content-type': 'application/json', ...key, ...headers }, body: JSON.stringify(body) });
