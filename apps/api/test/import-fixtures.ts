/** Imports from a hub on loopback, through the API's own doors. */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Intercept, LocalHub } from '@aril/local-services/local-hub';
import { vi } from 'vitest';
import { ADAPTER_FIELDS, type AdapterAnswer, type AdapterFiles } from './adapter-fixtures.js';
import { type Credentials, data, graphql, type GraphqlAnswer, type TestApp, TEST_MODEL } from './harness.js';

export interface ImportAnswer extends AdapterAnswer {
  importWaitsFor: string | null;
  source: { repository: string; revision: string; path: string; commit: string | null } | null;
}

const FIELDS = `${ADAPTER_FIELDS} importWaitsFor source { repository revision path commit }`;

export function tryImport(test: TestApp, credentials: Credentials, input: Record<string, unknown>): Promise<GraphqlAnswer<{ importAdapter: { adapter: ImportAnswer } }>> {
  const query = `mutation ($input: ImportAdapterInput!) { importAdapter(input: $input) { adapter { ${FIELDS} } } }`;
  return graphql(test, credentials, query, { input: { baseModelId: TEST_MODEL, ...input } });
}

export async function beginImport(test: TestApp, credentials: Credentials, slug: string, repository: string, more: { token?: string; revision?: string; path?: string } = {}): Promise<ImportAnswer> {
  const { token, ...where } = more;
  return (await data(tryImport(test, credentials, { slug, source: { repository, ...where }, token }))).importAdapter.adapter;
}

export async function look(test: TestApp, credentials: Credentials, id: string): Promise<ImportAnswer> {
  return (await data(graphql<{ adapter: ImportAnswer }>(test, credentials, `query ($id: ID!) { adapter(id: $id) { ${FIELDS} } }`, { id }))).adapter;
}

/** However long that takes. */
export async function until(test: TestApp, credentials: Credentials, id: string, done: (adapter: ImportAnswer) => boolean): Promise<ImportAnswer> {
  return vi.waitFor(
    async () => {
      const adapter = await look(test, credentials, id);
      if (!done(adapter)) throw new Error(`not yet: ${JSON.stringify(adapter)}`);
      return adapter;
    },
    { timeout: 50_000, interval: 20 },
  );
}

export const ended = (test: TestApp, credentials: Credentials, id: string): Promise<ImportAnswer> => until(test, credentials, id, ({ status }) => status !== 'UPLOADING');

export async function importAdapter(...args: Parameters<typeof beginImport>): Promise<ImportAnswer> {
  const { id } = await beginImport(...args);
  return ended(args[0], args[1], id);
}

const WEIGHTS = 'adapter_model.safetensors';

/** With weights that take many pieces to send, and are none of this model: what is done with them is said at the end. */
export const large = (files: AdapterFiles): AdapterFiles => ({ ...files, [WEIGHTS]: Buffer.concat([files[WEIGHTS], randomBytes(1_500_000)]) });

/** What asks for a file's bytes, not only what it is. */
export const isRead = (range: string | null | undefined): boolean => range !== 'bytes=0-0';

/** Sends the beginning of what is asked of the hub's second server, and then `then`s. */
function partly(bytes: Buffer, share: number, then: (response: ServerResponse) => void): Intercept {
  return (request, response, server) => {
    const range = request.headers.range;
    if (server !== 'files' || !isRead(range)) return false;
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const rest = bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length, ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }) });
    response.write(rest.subarray(0, Math.floor(rest.length * share)), () => then(response));
    return true;
  };
}

/** The first read of the weights stands still in its middle. Later ones are answered. @returns its answer, once it does */
export function hold(hub: LocalHub, bytes: Buffer): Promise<ServerResponse> {
  return new Promise((resolve) => {
    let held = false;
    const standing = partly(bytes, 0.5, resolve);
    hub.intercept = (...args) => !held && (held = standing(...args));
  });
}

export const hasBegun = ({ files }: ImportAnswer): boolean => files.some(({ name, received }) => name === WEIGHTS && received > 0);

/** Where in the weights each read of them began. */
export const readsOf = (hub: LocalHub): number[] =>
  hub.requests.filter(({ server, range }) => server === 'files' && isRead(range)).map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0));

/** The first `times` requests to `server` get this status. */
export function failing(hub: LocalHub, server: 'hub' | 'files', status: number, times: number, headers: Record<string, string> = {}): void {
  let left = times;
  hub.intercept = (_request, response, asked) => {
    if (asked !== server || left === 0) return false;
    left--;
    response.writeHead(status, headers).end();
    return true;
  };
}
