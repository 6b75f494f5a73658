import { readdirSync, utimesSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UploadCleaner } from '../src/core/adapters/uploads/upload-cleaner.js';
import { createAdapter, fixture, finishAdapter, upload } from './adapter-fixtures.js';
import { createTenant, data, graphql, startApp, type TestApp, TEST_MODEL } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

const TUS = { 'tus-resumable': '1.0.0' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const metadata = (adapterId: string, filename: string): Record<string, string> => ({
  'upload-metadata': `adapterId ${base64(adapterId)},filename ${base64(filename)}`,
});

describe('uploads', () => {
  const files = fixture('b');
  const weights = files['adapter_model.safetensors'];
  let test: TestApp;
  let shop: Tenant;
  let other: Tenant;

  beforeAll(async () => {
    test = await startApp();
    shop = await createTenant(test);
    other = await createTenant(test);
  });
  afterAll(() => test.stop());

  const send = (method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<Response> =>
    fetch(test.url + path, { method, headers: { ...TUS, ...headers }, ...(body ? { body: new Uint8Array(body) } : {}) });

  /** Creates an upload the way a client does, without a client. */
  async function begin(adapterId: string, bytes: number, more: Record<string, string> = {}): Promise<Response> {
    return send('POST', '/uploads', {
      ...shop.key,
      ...metadata(adapterId, 'adapter_model.safetensors'),
      'upload-length': String(bytes),
      ...more,
    });
  }

  const patch = (path: string, offset: number, body: Buffer, headers: Record<string, string> = shop.key): Promise<Response> =>
    send('PATCH', path, { ...headers, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, body);

  async function received(adapterId: string): Promise<number[]> {
    const query = `{ adapter(id: "${adapterId}") { files { received } } }`;
    const { adapter } = await data(graphql<{ adapter: { files: { received: number }[] } }>(test, shop.key, query));
    return adapter.files.map((file) => file.received);
  }

  it('takes both files from tus-js-client, with a session as well as with a key', async () => {
    const { id } = await createAdapter(test, shop.key, 'both-ways', files);
    await upload(test, shop.user.cookie, id, 'adapter_config.json', files['adapter_config.json']);
    await upload(test, shop.key, id, 'adapter_model.safetensors', weights, { chunkSize: 100_000 });
    expect(await received(id)).toEqual([files['adapter_config.json'].length, weights.length]);
    expect((await finishAdapter(test, shop.key, id)).status).toBe('READY');
  });

  it('answers with a Location relative to wherever the client found it', async () => {
    const { id } = await createAdapter(test, shop.key, 'located', files);
    const response = await begin(id, weights.length, { 'x-forwarded-host': 'portal.example', 'x-forwarded-proto': 'https' });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toMatch(/^\/uploads\/[0-9a-f-]{36}\.weights\.[0-9a-f]{32}$/);
  });

  it('goes on where it stopped after the API was restarted', async () => {
    const { id } = await createAdapter(test, shop.key, 'resumed', files);
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    const half = Math.floor(weights.length / 2);
    expect((await patch(path, 0, weights.subarray(0, half))).status).toBe(204);
    expect(await received(id)).toEqual([0, half]);
    await test.restart();
    const head = await send('HEAD', path, shop.key);
    expect([head.status, head.headers.get('upload-offset'), head.headers.get('upload-length')]).toEqual([200, String(half), String(weights.length)]);
    expect((await patch(path, 0, weights)).status).toBe(409);
    expect((await patch(path, half, weights.subarray(half))).status).toBe(204);
    await upload(test, shop.key, id, 'adapter_config.json', files['adapter_config.json']);
    expect((await finishAdapter(test, shop.key, id)).status).toBe('READY');
  });

  it('keeps what came before a connection broke, and another copy of the API goes on from there', async () => {
    const { id } = await createAdapter(test, shop.key, 'broken-line', files);
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    const sent = 120_000;
    await breakOff(path, weights, sent);
    const peer = await test.peer();
    try {
      const head = await fetch(peer.url + path, { method: 'HEAD', headers: { ...TUS, ...shop.key } });
      const offset = Number(head.headers.get('upload-offset'));
      expect(offset).toBeGreaterThan(0);
      expect(offset).toBeLessThanOrEqual(sent);
      const done = await upload(peer, shop.key, id, 'adapter_model.safetensors', weights, { uploadUrl: peer.url + path });
      expect(done).toBe(peer.url + path);
      await upload(peer, shop.key, id, 'adapter_config.json', files['adapter_config.json']);
      expect((await finishAdapter(test, shop.key, id)).status).toBe('READY');
    } finally {
      await peer.stop();
    }
  });

  it('lets one request at a time write, whichever copy of the API it reaches', async () => {
    const { id } = await createAdapter(test, shop.key, 'contended', files);
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    const peer = await test.peer();
    try {
      const headers = { ...TUS, ...shop.key, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
      const statuses = await Promise.all(
        [test, peer, test, peer].map(async (copy) => (await fetch(copy.url + path, { method: 'PATCH', headers, body: new Uint8Array(weights) })).status),
      );
      expect(statuses.filter((status) => status === 204)).toHaveLength(1);
      expect(statuses.filter((status) => status === 409)).toHaveLength(3);
      await upload(test, shop.key, id, 'adapter_config.json', files['adapter_config.json']);
      expect((await finishAdapter(test, shop.key, id)).status).toBe('READY');
    } finally {
      await peer.stop();
    }
  });

  /** Sends the first bytes of a PATCH that announces all of them, then cuts the connection. */
  async function breakOff(path: string, bytes: Buffer, sent: number): Promise<void> {
    const headers = { ...TUS, ...shop.key, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream', 'content-length': String(bytes.length) };
    const patching = httpRequest(test.url + path, { method: 'PATCH', headers });
    patching.on('error', () => undefined);
    await new Promise((resolve) => patching.write(bytes.subarray(0, sent), resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    patching.destroy();
  }

  it('tells browsers what they may do, without credentials', async () => {
    const response = await send('OPTIONS', '/uploads', {
      origin: 'http://127.0.0.1:3000',
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'upload-offset,content-type',
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('tus-version')).toBe('1.0.0');
    expect(response.headers.get('access-control-allow-origin')).toBe('http://127.0.0.1:3000');
    expect(response.headers.get('access-control-allow-methods')).toContain('PATCH');
    expect(response.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('upload-offset');
  });

  it.each([
    ['no metadata', 400, async () => ({ 'upload-length': '10' })],
    ['a filename that is not one of the two', 400, async (id: string) => ({ ...metadata(id, '../../etc/passwd'), 'upload-length': '10' })],
    ['an adapter id that is none', 400, async () => ({ ...metadata('nonsense', 'adapter_config.json'), 'upload-length': '10' })],
    ['a length other than declared', 400, async (id: string) => ({ ...metadata(id, 'adapter_config.json'), 'upload-length': '11' })],
    ['a deferred length', 400, async (id: string) => ({ ...metadata(id, 'adapter_config.json'), 'upload-defer-length': '1' })],
    ['an adapter that does not exist', 404, async () => ({ ...metadata('00000000-0000-7000-8000-000000000000', 'adapter_config.json'), 'upload-length': '10' })],
  ])('refuses %s', async (what, status, headers) => {
    const { id } = await createAdapter(test, shop.key, what.toLowerCase().replaceAll(' ', '-'), files);
    const response = await send('POST', '/uploads', { ...shop.key, ...(await headers(id)) });
    expect(response.status).toBe(status);
    const body = (await response.json()) as { error: { code: string; message: string } };
    expect(body.error.code).toBe(status === 404 ? 'NOT_FOUND' : 'BAD_INPUT');
  });

  it('takes no more bytes than declared', async () => {
    const { id } = await createAdapter(test, shop.key, 'overflow', files);
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    const response = await patch(path, 0, Buffer.concat([weights, Buffer.alloc(10)]));
    expect(response.status).toBe(413);
  });

  it('refuses more files for an adapter that is finished', async () => {
    const { id } = await createAdapter(test, shop.key, 'closed', files);
    for (const [name, bytes] of Object.entries(files)) await upload(test, shop.key, id, name, bytes);
    await finishAdapter(test, shop.key, id);
    expect((await begin(id, weights.length)).status).toBe(409);
  });

  it('keeps one upload per file: a new one drops the old', async () => {
    const { id } = await createAdapter(test, shop.key, 'restarted', files);
    const old = (await begin(id, weights.length)).headers.get('location') as string;
    await patch(old, 0, weights.subarray(0, 1000));
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    expect(await received(id)).toEqual([0, 0]);
    expect((await patch(old, 1000, weights.subarray(1000))).status).toBe(404);
    expect((await patch(path, 0, weights)).status).toBe(204);
  });

  it('can be aborted by the client', async () => {
    const { id } = await createAdapter(test, shop.key, 'aborted', files);
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    await patch(path, 0, weights.subarray(0, 1000));
    expect((await send('DELETE', path, shop.key)).status).toBe(204);
    expect(await received(id)).toEqual([0, 0]);
    expect((await send('HEAD', path, shop.key)).status).toBe(404);
  });

  it('does not exist for other tenants, nor without credentials, nor for downloading', async () => {
    const { id } = await createAdapter(test, shop.key, 'hidden', files);
    const path = (await begin(id, weights.length)).headers.get('location') as string;
    for (const credentials of [other.key, other.user.cookie]) {
      expect((await send('POST', '/uploads', { ...credentials, ...metadata(id, 'adapter_model.safetensors'), 'upload-length': String(weights.length) })).status).toBe(404);
      expect((await send('HEAD', path, credentials)).status).toBe(404);
      expect((await patch(path, 0, weights, credentials)).status).toBe(404);
      expect((await send('DELETE', path, credentials)).status).toBe(404);
    }
    expect((await send('HEAD', path, {})).status).toBe(401);
    expect((await patch(path, 0, weights, {})).status).toBe(401);
    expect((await send('POST', '/uploads', {})).status).toBe(401);
    expect((await send('GET', path, shop.key)).status).toBe(404);
    expect((await send('GET', `${path}.json`, shop.key)).status).toBe(404);
    expect((await send('HEAD', `${path}.json`, shop.key)).status).toBe(404);
    expect(await received(id)).toEqual([0, 0]);
  });

  it('sweeps what nobody continued, and keeps the rest', async () => {
    const stale = await createAdapter(test, shop.key, 'stale', files);
    const fresh = await createAdapter(test, shop.key, 'fresh', files);
    const paths = [];
    for (const { id } of [stale, fresh]) {
      const path = (await begin(id, weights.length)).headers.get('location') as string;
      await patch(path, 0, weights.subarray(0, 1000));
      paths.push(path);
    }
    const longAgo = new Date(Date.now() - 2 * test.config.UPLOAD_EXPIRY_S * 1000);
    const ofAdapter = (id: string): string[] => readdirSync(test.config.UPLOADS_DIR).filter((name) => name.startsWith(id));
    for (const name of ofAdapter(stale.id)) utimesSync(join(test.config.UPLOADS_DIR, name), longAgo, longAgo);
    expect(await test.app.get(UploadCleaner).sweep()).toBe(1);
    expect(ofAdapter(stale.id)).toEqual([]);
    expect(ofAdapter(fresh.id)).toHaveLength(2);
    expect((await send('HEAD', paths[0] as string, shop.key)).status).toBe(404);
    expect((await send('HEAD', paths[1] as string, shop.key)).status).toBe(200);
  });

  it('an adapter whose upload expired no longer counts, once its tenant makes another', async () => {
    const short = await startApp({ UPLOAD_EXPIRY_S: '0.05', TENANT_STORAGE_BYTES_MAX: String(weights.length + 5000) });
    try {
      const tenant = await createTenant(short);
      await createAdapter(short, tenant.key, 'never-sent', files);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await createAdapter(short, tenant.key, 'next', files);
      const query = '{ tenant { adapters { nodes { slug baseModel { id } } } } }';
      expect(await data(graphql(short, tenant.key, query))).toEqual({
        tenant: { adapters: { nodes: [{ slug: 'next', baseModel: { id: TEST_MODEL } }] } },
      });
    } finally {
      await short.stop();
    }
  });
});
