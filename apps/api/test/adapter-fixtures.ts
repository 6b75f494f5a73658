/** Real adapters for the test model, and ways to bring them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tus from 'tus-js-client';
import { type Credentials, data, graphql, type GraphqlAnswer, type TestApp, TEST_MODEL } from './harness.js';

export type FileName = 'adapter_config.json' | 'adapter_model.safetensors';
export type AdapterFiles = Record<FileName, Buffer>;

export const fixture = (name: 'a' | 'b'): AdapterFiles => adapterIn(`packages/sgmv-native/test/fixtures/stories260k/adapters/${name}`);
/** An adapter of SmolLM2. */
export const example = (name: string): AdapterFiles => adapterIn(`examples/adapters/${name}`);

function adapterIn(path: string): AdapterFiles {
  const folder = new URL(`../../../${path}/`, import.meta.url);
  const read = (file: FileName): Buffer => readFileSync(fileURLToPath(new URL(file, folder)));
  return { 'adapter_config.json': read('adapter_config.json'), 'adapter_model.safetensors': read('adapter_model.safetensors') };
}

export interface AdapterAnswer {
  id: string;
  slug: string;
  name: string;
  status: string;
  sha256: string | null;
  bytes: number;
  files: { name: string; bytes: number; received: number; sha256: string | null }[];
  summary: { rankMax: number; targetModules: string[] } | null;
  problems: { code: string; file: string; path: string | null; found: string; expected: string; message: string }[];
}

export const ADAPTER_FIELDS = `
  id slug name status sha256 bytes files { name bytes received sha256 }
  summary { rankMin rankMax targetModules layers parameters dtype rslora residentBytes }
  problems { code file path found expected message }`;

export async function createAdapter(test: TestApp, credentials: Credentials, slug: string, files: AdapterFiles): Promise<AdapterAnswer> {
  const input = {
    slug,
    baseModelId: TEST_MODEL,
    files: Object.entries(files).map(([name, bytes]) => ({ name, bytes: bytes.length })),
  };
  const answer = await data(
    graphql<{ createAdapter: { adapter: AdapterAnswer } }>(
      test,
      credentials,
      `mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { ${ADAPTER_FIELDS} } } }`,
      { input },
    ),
  );
  return answer.createAdapter.adapter;
}

/** Sends one file with tus-js-client; resolves with the upload's URL. */
export function upload(
  test: TestApp,
  credentials: Credentials,
  adapterId: string,
  filename: string,
  bytes: Buffer,
  options: Partial<tus.UploadOptions> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const job = new tus.Upload(bytes, {
      endpoint: `${test.url}/uploads`,
      headers: credentials,
      metadata: { adapterId, filename },
      retryDelays: [],
      onError: reject,
      onSuccess: () => resolve(job.url as string),
      ...options,
    });
    job.start();
  });
}

export function tryFinish(
  test: TestApp,
  credentials: Credentials,
  adapterId: string,
): Promise<GraphqlAnswer<{ finishAdapterUpload: { adapter: AdapterAnswer } }>> {
  const query = `mutation ($id: ID!) { finishAdapterUpload(input: { adapterId: $id }) { adapter { ${ADAPTER_FIELDS} } } }`;
  return graphql(test, credentials, query, { id: adapterId });
}

export async function finishAdapter(test: TestApp, credentials: Credentials, adapterId: string): Promise<AdapterAnswer> {
  return (await data(tryFinish(test, credentials, adapterId))).finishAdapterUpload.adapter;
}

/** Creates, uploads and finishes. */
export async function bringAdapter(test: TestApp, credentials: Credentials, slug: string, files: AdapterFiles): Promise<AdapterAnswer> {
  const { id } = await createAdapter(test, credentials, slug, files);
  for (const [name, bytes] of Object.entries(files)) await upload(test, credentials, id, name, bytes);
  return finishAdapter(test, credentials, id);
}
