import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { type ApiClient, ApiUnavailable } from '../api-client.js';
import { note, print } from '../output.js';
import { Progress } from '../progress.js';
import { connect, tokenIn } from '../settings.js';
import { type Adapter, adapterSchema, FIELDS, requireReady } from './adapter.js';
import { chooseBaseModel } from './base-model.js';

interface Options {
  name: string;
  revision?: string;
  path?: string;
  baseModel?: string;
  description?: string;
  tokenFrom?: string;
  wait: boolean;
  json?: boolean;
}

const LOOK_EVERY_MS = 1_000;
/** The import goes on without us: an API that is away for a while is waited for. */
const LOOKS_FAILED_MAX = 60;

const begun = z.object({ importAdapter: z.object({ adapter: adapterSchema }) });
const looked = z.object({ adapter: adapterSchema });
const IMPORT = `mutation ($input: ImportAdapterInput!) { importAdapter(input: $input) { adapter { ${FIELDS} } } }`;
const LOOK = `query ($id: ID!) { adapter(id: $id) { ${FIELDS} } }`;

export function addImportCommand(adapters: Command): void {
  adapters
    .command('import')
    .description('Has the API fetch an adapter from the Hugging Face hub.')
    .argument('<repository>', 'organization/name')
    .requiredOption('--name <slug>', 'what it is called by, as the model of a request')
    .option('--revision <revision>', 'a branch, a tag or a commit; default: main')
    .option('--path <folder>', 'the folder of the repository that holds it')
    .option('--base-model <id>', 'what it was trained on; default: the only one there is')
    .option('--description <text>', 'for people')
    .option('--token-from <variable>', "the environment variable that holds the hub's token, for private and gated repositories")
    .option('--no-wait', 'do not wait for its end')
    .option('--json', 'print the adapter as JSON')
    .action(importAdapter);
}

async function importAdapter(repository: string, options: Options): Promise<void> {
  const { name: slug, revision, path, description } = options;
  const token = options.tokenFrom === undefined ? undefined : tokenIn(options.tokenFrom);
  const api = connect();
  const baseModelId = await chooseBaseModel(api, options.baseModel, null);
  const input = { slug, description, baseModelId, source: { repository, revision, path }, token };
  const { adapter } = (await api.ask(begun, IMPORT, { input })).importAdapter;
  if (!options.wait) return print(adapter, `the import of ${slug} has begun`, options);
  const done = requireReady(await ended(api, adapter.id, options));
  print(done, `${slug} is ready, of commit ${done.source?.commit} (SHA-256 ${done.sha256})`, options);
}

async function ended(api: ApiClient, id: string, options: Options): Promise<Adapter> {
  const progress = new Progress(options.name, options);
  let waitsFor: string | null = null;
  try {
    for (let failures = 0; ; await sleep(LOOK_EVERY_MS)) {
      const adapter = await look(api, id, ++failures < LOOKS_FAILED_MAX);
      if (!adapter) continue;
      failures = 0;
      if (adapter.status !== 'UPLOADING') return adapter;
      progress.show(adapter.files.reduce((sum, { received }) => sum + received, 0), adapter.bytes);
      if (adapter.importWaitsFor !== waitsFor && adapter.importWaitsFor !== null) note(`${adapter.importWaitsFor}; it is tried again`);
      waitsFor = adapter.importWaitsFor;
    }
  } finally {
    progress.end();
  }
}

/** null: the API is away. */
async function look(api: ApiClient, id: string, patient: boolean): Promise<Adapter | null> {
  try {
    return (await api.ask(looked, LOOK, { id })).adapter;
  } catch (error) {
    if (patient && error instanceof ApiUnavailable) return null;
    throw error;
  }
}
