import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { BODY_BYTES_MAX } from '@/lib/proxy/body-limit';
import { forwardToApi } from '@/lib/proxy/forward';
import { toApiPath, toPortalLocation } from '@/lib/proxy/routes';

let server: Server | undefined;
const close = (): Promise<void> =>
  new Promise((resolve) => {
    if (!server) return resolve();
    server.close(() => resolve());
    server.closeAllConnections();
    server = undefined;
  });
afterEach(close);

/** A real server in the API's place; what is tested is what crosses the wire. */
const listen = (handle: RequestListener): Promise<string> =>
  new Promise((resolve) => {
    server = createServer(handle);
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server?.address() as AddressInfo).port}`),
    );
  });
const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
};
const PORTAL = 'http://portal.example';

describe('paths', () => {
  it.each([
    ['/api/graphql', '/graphql'],
    ['/api/graphql/stream', '/graphql/stream'],
    ['/api/uploads', '/uploads'],
    ['/api/uploads/a.b', '/uploads/a.b'],
    ['/api/statements/2026-10.pdf', '/statements/2026-10.pdf'],
    ['/api/audit-events/events.csv', '/audit-events/events.csv'],
    ['/api/auth/sign-in/email', '/api/auth/sign-in/email'],
    ['/api/graphqlish', null],
    ['/api/v1/models', null],
  ])('leads %s to %s', (portal, api) => expect(toApiPath(portal)).toBe(api));

  it('brings Location back to the portal, and leaves foreign ones alone', () => {
    const own = ['http://api:4000', PORTAL];
    expect(toPortalLocation('/uploads/x?y=1', own)).toBe('/api/uploads/x?y=1');
    expect(toPortalLocation('http://api:4000/uploads/x', own)).toBe('/api/uploads/x');
    expect(toPortalLocation(`${PORTAL}/settings`, own)).toBe('/settings');
    expect(toPortalLocation('https://elsewhere.example/uploads/x', own)).toBe(
      'https://elsewhere.example/uploads/x',
    );
  });
});

describe('forwarding', () => {
  it('hands on method, query, body and headers, less those of the connection', async () => {
    let seen:
      | {
          method?: string | undefined;
          url?: string | undefined;
          headers: IncomingMessage['headers'];
          body: string;
        }
      | undefined;
    const api = await listen(async (request, response) => {
      seen = {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: await textOf(request),
      };
      response.writeHead(204, { 'upload-offset': '5' }).end();
    });
    const request = new Request(`${PORTAL}/api/uploads/u1?a=b`, {
      method: 'PATCH',
      body: 'hello',
      headers: {
        host: 'portal.example',
        'upload-offset': '0',
        cookie: 's=1',
        'x-drop': '1',
        connection: 'x-drop',
        te: 'trailers',
      },
    });
    const answer = await forwardToApi(request, api);
    expect([answer.status, answer.headers.get('upload-offset'), answer.body]).toEqual([204, '5', null]);
    expect(seen).toMatchObject({ method: 'PATCH', url: '/uploads/u1?a=b', body: 'hello' });
    expect(seen?.headers).toMatchObject({
      'upload-offset': '0',
      cookie: 's=1',
      'x-forwarded-host': 'portal.example',
      'x-forwarded-proto': 'http',
    });
    expect(seen?.headers).not.toHaveProperty('x-drop');
    expect(seen?.headers).not.toHaveProperty('te');
  });

  it('keeps each cookie a header of its own, and a compressed answer readable', async () => {
    const api = await listen((_, response) => {
      response
        .writeHead(200, { 'set-cookie': ['a=1; Path=/', 'b=2; Path=/'], 'content-encoding': 'gzip' })
        .end(gzipSync('plain'));
    });
    const answer = await forwardToApi(new Request(`${PORTAL}/api/auth/get-session`), api);
    expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/']);
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(await answer.text()).toBe('plain');
  });

  it('streams events as they come, and hangs up on the API when the browser does', async () => {
    let hungUp: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => (hungUp = resolve));
    const api = await listen((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: next\n\n');
      response.on('close', hungUp);
    });
    const browser = new AbortController();
    const answer = await forwardToApi(
      new Request(`${PORTAL}/api/graphql/stream`, { signal: browser.signal }),
      api,
    );
    expect(answer.headers.get('cache-control')).toContain('no-transform');
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value)).toBe('event: next\n\n');
    browser.abort();
    await closed;
  });

  it('takes no body too large to hold, or of unknown length, and asks the API nothing', async () => {
    const api = await listen(() => expect.unreachable());
    const send = (headers: Record<string, string>) =>
      forwardToApi(new Request(`${PORTAL}/api/uploads/u1`, { method: 'PATCH', body: 'x', headers }), api);
    expect((await send({ 'content-length': String(BODY_BYTES_MAX + 1) })).status).toBe(413);
    expect((await send({ 'transfer-encoding': 'chunked' })).status).toBe(411);
  });

  it('says that the API is not there', async () => {
    const api = await listen(() => undefined);
    await close();
    const answer = await forwardToApi(new Request(`${PORTAL}/api/graphql`), api);
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ code: 'API_UNREACHABLE' });
  });
});
