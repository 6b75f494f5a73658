/**
 * A Hugging Face hub on loopback, for tests: what a client needs to read a model repository, with a second server where its
 * large files are kept, as the real one has. Faults are put in its way one by one.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const gitSha1 = (bytes) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

export class LocalHub {
  /** By `organization/name`: `{ files, revisions: name → commit, private, gated }`. */
  repositories = new Map();
  /** Every request, in order: `{ server: 'hub' | 'files', path, authorization, range }`. */
  requests = [];
  /** `(request, response, server, send) => boolean`: whether it has answered itself. `send` answers as there were none. */
  intercept = () => false;
  /** The token that private and gated repositories open for. */
  token = 'hf_valid';

  static async start() {
    const hub = new LocalHub();
    hub.servers = [hub.serve('hub'), hub.serve('files')];
    for (const server of hub.servers) await once(server.listen(0, '127.0.0.1'), 'listening');
    [hub.url, hub.filesUrl] = hub.servers.map((server) => `http://127.0.0.1:${server.address().port}`);
    return hub;
  }

  async stop() {
    for (const server of this.servers) {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
  }

  /** @returns the commit of `main` */
  put(name, files, { revision = 'main', ...more } = {}) {
    const commit = createHash('sha1').update(name + revision + Object.keys(files).join()).digest('hex');
    const before = this.repositories.get(name);
    const revisions = { ...before?.revisions, [revision]: commit, [commit]: commit };
    this.repositories.set(name, { ...before, ...more, revisions, files: { ...before?.files, [commit]: files } });
    return commit;
  }

  serve(name) {
    return createServer((request, response) => {
      const { url: path, headers } = request;
      this.requests.push({ server: name, path, authorization: headers.authorization ?? null, range: headers.range ?? null });
      const send = () => (name === 'hub' ? this.answer(request, response) : this.sendStored(request, response));
      if (!this.intercept(request, response, name, send)) send();
    });
  }

  answer(request, response) {
    const path = decodeURIComponent(request.url.split('?')[0]);
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const [, name, revision, filePath] = api ?? file ?? [];
    const repository = this.repositories.get(name);
    const mayRead = request.headers.authorization === `Bearer ${this.token}`;
    if (request.headers.authorization && !mayRead) return refuse(response, 401, '', 'Invalid credentials in Authorization header');
    if (!repository || (repository.private && !mayRead)) return refuse(response, mayRead ? 404 : 401, 'RepoNotFound', 'Repository not found');
    const commit = repository.revisions[revision];
    if (!commit) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (api) return json(response, { _id: '1', id: name, sha: commit, private: !!repository.private, gated: !!repository.gated, downloads: 0, likes: 0, lastModified: new Date(0).toISOString() });
    if (repository.gated && !mayRead) return refuse(response, 403, 'GatedRepo', `Access to model ${name} is restricted`);
    const bytes = repository.files[commit][filePath];
    if (!bytes) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    if (filePath.endsWith('.json')) return sendBytes(request, response, bytes, gitSha1(bytes));
    this.redirect(response, bytes, `${this.filesUrl}/${sha256(bytes)}?signature=secret`);
  }

  redirect(response, bytes, location) {
    response.writeHead(302, { location, 'x-linked-size': bytes.length, 'x-linked-etag': `"${sha256(bytes)}"` }).end();
  }

  sendStored(request, response) {
    const wanted = request.url.slice(1).split('?')[0];
    const all = [...this.repositories.values()].flatMap(({ files }) => Object.values(files).flatMap(Object.values));
    const bytes = all.find((one) => sha256(one) === wanted);
    if (bytes) sendBytes(request, response, bytes, 'of-another-kind');
    else response.writeHead(403).end();
  }
}

function sendBytes(request, response, bytes, etag) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const headers = { etag: `"${etag}"`, 'content-type': 'application/octet-stream' };
  if (first === undefined) return response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
  const part = bytes.subarray(Number(first), last === '' ? undefined : Number(last) + 1);
  const range = `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}`;
  response.writeHead(206, { ...headers, 'content-length': part.length, 'content-range': range }).end(part);
}

function json(response, body) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response, status, code, error) {
  response.writeHead(status, { 'content-type': 'application/json', ...(code && { 'x-error-code': code }) });
  response.end(JSON.stringify({ error }));
}
