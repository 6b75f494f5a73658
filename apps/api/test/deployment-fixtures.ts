/** Deployments through the API's own door. */
import { type Credentials, data, graphql, type GraphqlAnswer, TEST_MODEL, type TestApp } from './harness.js';

export interface VariantAnswer {
  id: string;
  target: string;
  weight: number;
  share: number;
  adapter: { id: string; status: string } | null;
}

export interface DeploymentAnswer {
  id: string;
  slug: string;
  name: string;
  description: string;
  baseModel: { id: string };
  variants: VariantAnswer[];
  createdAt: string;
  updatedAt: string;
}

export const DEPLOYMENT_FIELDS = `
  id slug name description baseModel { id } createdAt updatedAt variants { id target weight share adapter { id status } }`;

type Input = Record<string, unknown>;

export function tryCreateDeployment(
  test: TestApp,
  credentials: Credentials,
  input: Input,
): Promise<GraphqlAnswer<{ createDeployment: { deployment: DeploymentAnswer } }>> {
  const query = `mutation ($input: CreateDeploymentInput!) { createDeployment(input: $input) { deployment { ${DEPLOYMENT_FIELDS} } } }`;
  const standard = { slug: 'split', baseModelId: TEST_MODEL, variants: [{ target: TEST_MODEL, weight: 1 }] };
  return graphql(test, credentials, query, { input: { ...standard, ...input } });
}

export async function createDeployment(test: TestApp, credentials: Credentials, input: Input = {}): Promise<DeploymentAnswer> {
  return (await data(tryCreateDeployment(test, credentials, input))).createDeployment.deployment;
}

export function tryUpdateDeployment(
  test: TestApp,
  credentials: Credentials,
  input: Input,
): Promise<GraphqlAnswer<{ updateDeployment: { deployment: DeploymentAnswer } }>> {
  const query = `mutation ($input: UpdateDeploymentInput!) { updateDeployment(input: $input) { deployment { ${DEPLOYMENT_FIELDS} } } }`;
  return graphql(test, credentials, query, { input });
}

export async function updateDeployment(test: TestApp, credentials: Credentials, input: Input): Promise<DeploymentAnswer> {
  return (await data(tryUpdateDeployment(test, credentials, input))).updateDeployment.deployment;
}

export function tryDelete(test: TestApp, credentials: Credentials, kind: 'Adapter' | 'Deployment', id: string): Promise<GraphqlAnswer<object>> {
  const field = `${kind.toLowerCase()}Id`;
  return graphql(test, credentials, `mutation ($id: ID!) { delete${kind}(input: { ${field}: $id }) { ${field} } }`, { id });
}

export async function deleteDeployment(test: TestApp, credentials: Credentials, id: string): Promise<void> {
  await data(tryDelete(test, credentials, 'Deployment', id));
}
