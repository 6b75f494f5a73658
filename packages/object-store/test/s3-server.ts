import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

interface Stored {
  bytes: Buffer;
  metadata: Record<string, string>;
}

/**
 * The part of S3's REST protocol that the store uses, in memory: objects, user metadata, multipart uploads, listing
 * in small pages, and deletion in bulk. It speaks to the real SDK over real HTTP. (The npm S3 servers are unmaintained;
 * OBJECT_STORE_TEST_S3_ENDPOINT runs the same tests against a real store.)
 */
export class S3Server {
  readonly objects = new Map<string, Stored>();
  readonly uploads = new Map<string, { path: string; metadata: Record<string, string>; parts: Map<number, Buffer> }>();
  /** Requests to answer with 503 before serving again, for tests of retries. */
  failuresLeft = 0;
  /** Takes everything and answers nothing, or only the half of an object, as a store that hangs. */
  silent = false;
  #server: Server = createServer((request, response) => void this.#serve(request, response));

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    if (this.failuresLeft > 0) {
      this.failuresLeft--;
      return reply(response, 503, error('SlowDown', 'try again'));
    }
    const url = new URL(request.url ?? '/', 'http://s3');
    const half = this.silent && request.method === 'GET' ? this.objects.get(url.pathname)?.bytes : undefined;
    if (half) response.setHeader('content-length', half.length).write(half.subarray(0, half.length / 2));
    if (this.silent) return;
    const handlers = { GET: this.#get, HEAD: this.#get, PUT: this.#put, POST: this.#post, DELETE: this.#delete };
    const handler = handlers[request.method as keyof typeof handlers];
    handler.call(this, request, response, url, body);
  }

  #get(request: IncomingMessage, response: ServerResponse, url: URL): void {
    if (url.searchParams.get('list-type') === '2') return this.#list(response, url);
    const found = this.objects.get(url.pathname);
    if (!found) return reply(response, 404, request.method === 'HEAD' ? '' : error('NoSuchKey', 'no such key'));
    for (const [name, value] of Object.entries(found.metadata)) response.setHeader(name, value);
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const bytes = start === undefined ? found.bytes : found.bytes.subarray(Number(start), Number(last) + 1);
    response.statusCode = start === undefined ? 200 : 206;
    response.setHeader('content-length', bytes.length);
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  #list(response: ServerResponse, url: URL): void {
    const bucket = `${url.pathname.replace(/\/$/, '')}/`;
    const prefix = url.searchParams.get('prefix') ?? '';
    const keys = [...this.objects.keys()].filter((path) => path.startsWith(bucket + prefix)).sort().slice(0, 2);
    const contents = keys.map((path) => `<Contents><Key>${path.slice(bucket.length)}</Key></Contents>`).join('');
    reply(response, 200, `<ListBucketResult>${contents}</ListBucketResult>`);
  }

  #put(request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void {
    const upload = this.uploads.get(url.searchParams.get('uploadId') ?? '');
    if (upload) upload.parts.set(Number(url.searchParams.get('partNumber')), body);
    else this.objects.set(url.pathname, { bytes: body, metadata: userMetadata(request) });
    response.setHeader('etag', `"${createHash('md5').update(body).digest('hex')}"`);
    reply(response, 200, '');
  }

  #post(request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void {
    if (url.searchParams.has('uploads')) return this.#startUpload(request, response, url);
    const uploadId = url.searchParams.get('uploadId');
    if (uploadId !== null) return this.#completeUpload(response, uploadId, body);
    for (const [, key] of body.toString().matchAll(/<Key>([^<]+)<\/Key>/g)) {
      this.objects.delete(`${url.pathname.replace(/\/$/, '')}/${key}`);
    }
    reply(response, 200, '<DeleteResult></DeleteResult>');
  }

  #startUpload(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const uploadId = randomUUID();
    this.uploads.set(uploadId, { path: url.pathname, metadata: userMetadata(request), parts: new Map() });
    reply(response, 200, `<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`);
  }

  #completeUpload(response: ServerResponse, uploadId: string, body: Buffer): void {
    const upload = this.uploads.get(uploadId);
    if (!upload) return reply(response, 404, error('NoSuchUpload', 'no such upload'));
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) => Number(match[1]));
    const parts = numbers.map((number) => upload.parts.get(number) ?? Buffer.alloc(0));
    this.objects.set(upload.path, { bytes: Buffer.concat(parts), metadata: upload.metadata });
    this.uploads.delete(uploadId);
    reply(response, 200, '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>');
  }

  #delete(_request: IncomingMessage, response: ServerResponse, url: URL): void {
    const uploadId = url.searchParams.get('uploadId');
    if (uploadId === null) this.objects.delete(url.pathname);
    else this.uploads.delete(uploadId);
    reply(response, 204, '');
  }
}

const error = (code: string, message: string): string => `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;

function reply(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' }).end(xml);
}

const userMetadata = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      name.startsWith('x-amz-meta-') && typeof value === 'string' ? [[name, value]] : [],
    ),
  );
