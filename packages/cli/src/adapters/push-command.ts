import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { DetailedError, Upload } from 'tus-js-client';
import { z } from 'zod';
import type { ApiClient } from '../api-client.js';
import { CliError } from '../cli-error.js';
import { note, print } from '../output.js';
import { Progress } from '../progress.js';
import { connect } from '../settings.js';
import { type Adapter, adapterSchema, FIELDS, findAdapter, requireReady } from './adapter.js';
import { chooseBaseModel } from './base-model.js';
import { type LocalFile, namedBaseModel, readLocalAdapter } from './local-adapter.js';

interface Options {
  name: string;
  baseModel?: string;
  description?: string;
  json?: boolean;
}

/** One request carries this much: little is lost when a connection breaks. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const RETRY_DELAYS_MS = [0, 1_000, 3_000, 5_000, 10_000];

const created = z.object({ createAdapter: z.object({ adapter: adapterSchema }) });
const finished = z.object({ finishAdapterUpload: z.object({ adapter: adapterSchema }) });
const CREATE = `mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { ${FIELDS} } } }`;
const FINISH = `mutation ($id: ID!) { finishAdapterUpload(input: { adapterId: $id }) { adapter { ${FIELDS} } } }`;

export function addPushCommand(adapters: Command): void {
  adapters
    .command('push')
    .description('Uploads an adapter. What broke off is begun again; where the name has these very files already, nothing is done.')
    .argument('<folder>', 'with adapter_config.json and adapter_model.safetensors')
    .requiredOption('--name <slug>', 'what it is called by, as the model of a request')
    .option('--base-model <id>', 'what it was trained on; default: what its config names, or the only one there is')
    .option('--description <text>', 'for people')
    .option('--json', 'print the adapter as JSON')
    .action(push);
}

async function push(folder: string, options: Options): Promise<void> {
  const files = await readLocalAdapter(folder);
  const api = connect();
  const before = await findAdapter(api, options.name);
  if (before?.status === 'READY' && isSame(before, files)) {
    return print(before, `${before.slug} is ready already, with these files (SHA-256 ${before.sha256})`, options);
  }
  const waiting = before && isWaitingFor(before, files) ? before : await create(api, files, options);
  const adapter = await send(api, files, waiting.id, options);
  print(adapter, `${adapter.slug} is ready (SHA-256 ${adapter.sha256})`, options);
}

const isSame = (adapter: Adapter, files: readonly LocalFile[]): boolean =>
  files.every(({ name, sha256 }) => adapter.files.some((file) => file.name === name && file.sha256 === sha256));

/** An upload of files of these sizes that never ended. */
const isWaitingFor = ({ status, source, files: announced }: Adapter, files: readonly LocalFile[]): boolean =>
  status === 'UPLOADING' && source === null && files.every(({ name, bytes }) => announced.some((file) => file.name === name && file.bytes === bytes));

async function create(api: ApiClient, files: readonly LocalFile[], options: Options): Promise<Adapter> {
  const { name: slug, description } = options;
  const baseModelId = await chooseBaseModel(api, options.baseModel, await namedBaseModel(files));
  const sizes = files.map(({ name, bytes }) => ({ name, bytes }));
  const { createAdapter } = await api.ask(created, CREATE, { input: { slug, description, baseModelId, files: sizes } });
  return createAdapter.adapter;
}

async function send(api: ApiClient, files: readonly LocalFile[], id: string, output: { json?: boolean }): Promise<Adapter> {
  for (const file of files) await upload(api, id, file, output);
  if (!output.json) note('Checking it …');
  const { finishAdapterUpload } = await api.ask(finished, FINISH, { id });
  return requireReady(finishAdapterUpload.adapter);
}

function upload(api: ApiClient, adapterId: string, { name, path, bytes }: LocalFile, output: { json?: boolean }): Promise<void> {
  const progress = new Progress(name, output);
  return new Promise<void>((resolve, reject) => {
    new Upload(createReadStream(path), {
      endpoint: `${api.url}/uploads`,
      headers: api.headers,
      metadata: { adapterId, filename: name },
      uploadSize: bytes,
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      onProgress: (sent) => progress.show(sent, bytes),
      onSuccess: () => resolve(),
      onError: (error) => reject(new CliError(`${path}: ${reasonOf(error)}`)),
    }).start();
  }).finally(() => progress.end());
}

function reasonOf(error: Error | DetailedError): string {
  const answer = 'originalResponse' in error ? error.originalResponse : null;
  if (!answer) return 'the connection broke, and did not come back in time';
  return answer.getBody().trim() || `the API refused the upload (HTTP ${answer.getStatus()})`;
}
