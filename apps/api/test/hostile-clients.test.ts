/** Clients that mean harm or know no better: what they get is an answer, and what they take is bounded. */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import { ROOM_BOUNDS } from '../src/base/graphql/socket-room.js';
import { createAdapter, fixture } from './adapter-fixtures.js';
import { Connection, head, json } from './connection.js';
import { startGeneration } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { gate, ScriptedRunner, tell, until } from './scripted-runner.js';

const MIB = 1024 * 1024;
const QUERY = JSON.stringify({ query: '{ __typename }' });

describe('a client', () => {
  let test: TestApp;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  let runner: ScriptedRunner;
  beforeAll(async () => {
    test = await startApp({ REQUEST_BODIES_BYTES_MAX: String(9 * MIB) });
    tenant = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  const open: Connection[] = [];
  const sockets: WebSocket[] = [];
  afterEach(() => {
    runner.script = tell;
    open.splice(0).forEach((connection) => connection.socket.destroy());
    sockets.splice(0).forEach((socket) => socket.terminate());
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const dial = (): Connection => {
    const connection = new Connection(test.config.API_PORT);
    open.push(connection);
    return connection;
  };
  const authorization = (): string => `Authorization: ${tenant.key.authorization}`;
  const completion = (stream: boolean): string => JSON.stringify({ model: TEST_MODEL, prompt: 'Once', max_tokens: 10, stream });

  describe('that closes its side once it has asked', () => {
    const ask = async (body: string): Promise<Connection> => {
      const connection = dial();
      connection.socket.end(head('POST', '/v1/completions', [...json(body), authorization()]) + body);
      return connection;
    };

    it.each([
      ['whole', false, '"text":"Once upon a time"'],
      ['stream', true, 'data: [DONE]'],
    ])('gets its answer: %s', async (_, stream, part) => {
      const answer = await (await ask(completion(stream))).rest();
      expect(answer).toMatch(/(^|\r\n\r\n)HTTP\/1\.1 200 OK\r\n/);
      expect(answer).toContain(part);
    });

    it.each([['whole', false], ['stream', true]])('and is gone, is seen to be gone: %s', async (_, stream) => {
      const held = gate();
      let cancelled = false;
      runner.script = async (run) => {
        held.open();
        await run.cancelled();
        cancelled = true;
        await run.finish('cancelled');
      };
      const connection = await ask(completion(stream));
      await held.opened;
      connection.socket.destroy();
      await until(() => cancelled, 30_000);
    });
  });

  it.each([
    ['headers that are too large', head('GET', '/health', [`X-Long: ${'a'.repeat(20_000)}`]), 431, 'PAYLOAD_TOO_LARGE'],
    ['a path that is too long', head('GET', `/${'a'.repeat(20_000)}`), 431, 'PAYLOAD_TOO_LARGE'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400, 'BAD_INPUT'],
    ['a chunk that is none', `${head('POST', '/graphql', ['Content-Type: application/json', 'Transfer-Encoding: chunked'])}ZZZ\r\n`, 400, 'BAD_INPUT'],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n', 400, 'BAD_INPUT'],
    ['two hosts', head('GET', '/health', ['Host: b']), 400, 'BAD_INPUT'],
    ['a host that is none', 'POST /api/auth/sign-out HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'BAD_INPUT'],
    ['an expectation', head('POST', '/graphql', ['Expect: miracles', ...json(QUERY)]) + QUERY, 417, 'BAD_INPUT'],
    ['what is for a proxy', head('CONNECT', 'other.example.test:443'), 405, 'BAD_INPUT'],
    ['a WebSocket without a key', head('GET', '/graphql', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']), 400, 'BAD_INPUT'],
    ['one length twice', head('POST', '/graphql', [...json(QUERY), `Content-Length: ${QUERY.length}`]) + QUERY, 400, 'BAD_INPUT'],
    ['two lengths', head('POST', '/graphql', [...json(QUERY), 'Transfer-Encoding: chunked']), 400, 'BAD_INPUT'],
  ])('that sends %s is told so', async (_, text, status, code) => {
    const connection = dial();
    await connection.send([text]);
    const answer = await connection.rest();
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\r\\nConnection: close\\r\\n`));
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code, retryable: false, message: expect.any(String) as string } });
  });

  it.each(['javascript', 'a b'])('that claims to have come by "%s" is answered all the same', async (protocol) => {
    const headers = { 'x-forwarded-proto': protocol };
    expect((await fetch(`${test.url}/api/auth/get-session`, { headers })).status).toBe(200);
  });

  it.each([
    ['as many requests as it may before their answers', 16, 16],
    ['more', 200, 0],
  ])('that sends %s leaves nothing of them behind', async (_, count, answered) => {
    const underWay = new Set<ServerResponse>();
    let seen = 0;
    const note = (_request: IncomingMessage, response: ServerResponse): void => {
      seen += 1;
      underWay.add(response);
      response.once('close', () => underWay.delete(response));
    };
    (test.app.getHttpServer() as Server).on('request', note);
    const connection = dial();
    connection.socket.write(head('GET', '/health').repeat(count));
    await until(() => connection.received.split('HTTP/1.1 200 OK').length - 1 === answered && (answered > 0 || connection.socket.destroyed));
    const unread = dial();
    unread.socket.pause();
    unread.socket.write(head('GET', `/graphql?query=${encodeURIComponent(getIntrospectionQuery())}`, ['apollo-require-preflight: 1']).repeat(count));
    await sleep(100);
    unread.socket.destroy();
    await until(() => underWay.size === 0);
    expect(seen).toBeGreaterThanOrEqual(2 * 16);
    (test.app.getHttpServer() as Server).off('request', note);
  });

  describe('that stands still', () => {
    const server = (): Server => test.app.getHttpServer() as Server;
    let usual: number;
    beforeEach(() => {
      usual = server().timeout;
      server().timeout = 300;
    });
    afterEach(() => {
      server().timeout = usual;
    });

    it('in the middle of a request is told so', async () => {
      const connection = dial();
      await connection.send([head('POST', '/graphql', json(QUERY)), QUERY.slice(0, 5)]);
      expect(await connection.rest()).toMatch(/HTTP\/1\.1 408 [\s\S]*"code":"TIMED_OUT"/);
    });

    it('in the middle of an upload is told so, and goes on from there', async () => {
      const bytes = fixture('a')['adapter_config.json'];
      const { id } = await createAdapter(test, tenant.key, 'still', fixture('a'));
      const metadata = Object.entries({ adapterId: id, filename: 'adapter_config.json' }).map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`);
      const headers = { ...tenant.key, 'tus-resumable': '1.0.0' };
      const made = await fetch(`${test.url}/uploads`, { method: 'POST', headers: { ...headers, 'upload-length': String(bytes.length), 'upload-metadata': metadata.join() } });
      const path = made.headers.get('location') ?? '';
      const connection = dial();
      const lines = [authorization(), 'Tus-Resumable: 1.0.0', 'Upload-Offset: 0', 'Content-Type: application/offset+octet-stream', `Content-Length: ${bytes.length}`];
      await connection.send([head('PATCH', path, lines), bytes.subarray(0, 100).toString()]);
      expect(await connection.rest()).toMatch(/HTTP\/1\.1 408 [\s\S]*"code":"TIMED_OUT"/);
      expect((await fetch(test.url + path, { method: 'HEAD', headers })).headers.get('upload-offset')).toBe('100');
    });

    it('and leaves its answers unread is ended', async () => {
      const connection = dial();
      connection.socket.pause();
      const request = head('GET', `/graphql?query=${encodeURIComponent(getIntrospectionQuery())}`, ['apollo-require-preflight: 1']);
      const closed = new Promise((resolve) => server().once('connection', (socket: Socket) => socket.once('close', resolve)));
      for (let count = 0; count < 100 && !connection.socket.destroyed; count++) await connection.send([request]);
      await closed;
    });

    it('because its answer takes long is not disturbed', async () => {
      const [begun, held] = [gate(), gate()];
      runner.script = async (run) => {
        begun.open();
        await held.opened;
        await tell(run);
      };
      const connection = dial();
      const body = completion(false);
      await connection.send([head('POST', '/v1/completions', [...json(body), authorization()]) + body]);
      await begun.opened;
      await sleep(1_000);
      held.open();
      expect(await connection.answer()).toMatch(/^HTTP\/1\.1 200 OK/);
    });
  });

  it('that sends large bodies slowly takes no more memory than there is for all, and none of that for small ones', async () => {
    const large = async (headers: string[]): Promise<Connection> => {
      const connection = dial();
      await connection.send([head('POST', '/v1/completions', ['Content-Type: application/json', ...headers, authorization()])]);
      return connection;
    };
    const status = async (connection: Connection): Promise<string | undefined> => /^HTTP\/1\.1 (\d+)/.exec(await connection.answer())?.[1];
    const first = await large([`Content-Length: ${5 * MIB}`]);
    await until(async () => (await status(await large([`Content-Length: ${5 * MIB}`]))) === '503');
    const chunked = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n`;
    const growing = await large(['Transfer-Encoding: chunked']);
    await growing.send([chunked(' '.repeat(3 * MIB)), chunked(' '.repeat(3 * MIB))]);
    expect(await status(growing)).toBe('503');
    expect(await status(await large(['Content-Encoding: gzip', 'Content-Length: 1000']))).toBe('503');
    const small = dial();
    await small.send([head('POST', '/graphql', json(QUERY)) + QUERY]);
    expect(await status(small)).toBe('200');
    // Of a length that nobody announces, too.
    const unannounced = await large(['Transfer-Encoding: chunked']);
    await unannounced.send([chunked(completion(false)), '0\r\n\r\n']);
    expect(await status(unannounced)).toBe('200');
    first.socket.destroy();
    await until(async () => {
      const connection = await large(['Transfer-Encoding: chunked']);
      await connection.send([chunked(completion(false) + ' '.repeat(6 * MIB)), '0\r\n\r\n']);
      return (await status(connection)) === '200';
    });
  });

  describe('with a WebSocket', () => {
    beforeEach(() => void vi.spyOn(console, 'error'));
    afterEach(() => {
      expect(console.error, 'what clients do is for the log to tell').not.toHaveBeenCalled();
      vi.restoreAllMocks();
    });

    const connect = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`${test.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      sockets.push(socket);
      await once(socket, 'open');
      return socket;
    };
    const next = async (socket: WebSocket): Promise<Record<string, unknown>> => JSON.parse(String((await once(socket, 'message'))[0])) as Record<string, unknown>;
    const begun = async (): Promise<WebSocket> => {
      const socket = await connect();
      socket.send(JSON.stringify({ type: 'connection_init', payload: tenant.key }));
      await next(socket);
      return socket;
    };
    const operation = (id: string, query: string): string => JSON.stringify({ id, type: 'subscribe', payload: { query } });

    it.each([
      ['nothing', null, 4408],
      ['an operation before it has begun', operation('1', '{ __typename }'), 4401],
      ['a frame that is too large', JSON.stringify({ type: 'ping', payload: { x: 'x'.repeat(2 * MIB) } }), 1009],
      ['no JSON', 'hello', 4400],
      ['what only servers send', JSON.stringify({ id: '1', type: 'next', payload: {} }), 4400],
    ])('that sends %s is closed', async (_, message, code) => {
      const socket = await connect();
      socket.on('error', () => undefined);
      if (message !== null) socket.send(message);
      expect((await once(socket, 'close'))[0]).toBe(code);
    });

    it('that sends what is no GraphQL, or too much of it, is told so, and goes on', async () => {
      const socket = await begun();
      for (const query of ['{ a', '{ '.repeat(100_000)]) {
        socket.send(operation('1', query));
        expect(await next(socket)).toMatchObject({ id: '1', type: 'error', payload: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }] });
      }
      socket.send(operation('1', '{ __typename }'));
      expect(await next(socket)).toMatchObject({ type: 'next', payload: { data: { __typename: 'Query' } } });
    });

    it('of whom there are many from one address, and nobody signs in, has the oldest closed', async () => {
      const signedIn = await begun();
      signedIn.send(operation('1', '{ tenant { id } }'));
      await next(signedIn);
      const oldest = await connect();
      const closed = once(oldest, 'close');
      const rest = await Promise.all(Array.from({ length: ROOM_BOUNDS.anonymousPerAddressMax }, connect));
      expect(await closed).toEqual([1013, Buffer.from('Too many WebSockets from this address that nobody has signed in on')]);
      expect([signedIn, ...rest].map(({ readyState }) => readyState)).toEqual(Array(rest.length + 1).fill(WebSocket.OPEN));
    });

    it('that asks without reading what it is answered is ended', async () => {
      const socket = await begun();
      const closed = once(socket, 'close');
      socket.on('error', () => undefined);
      socket.pause();
      const ping = JSON.stringify({ type: 'ping', payload: { x: 'x'.repeat(MIB / 2) } });
      let sent = 0;
      for (; socket.readyState === WebSocket.OPEN && sent < 200; sent++) {
        await new Promise((resolve) => socket.send(ping, resolve));
        await sleep(1);
      }
      expect(sent).toBeLessThan(200);
      socket.resume();
      await closed;
    });

    it('that begins too many operations is refused those beyond', async () => {
      const held = gate();
      runner.script = async (run) => {
        await held.opened;
        await tell(run);
      };
      const { id } = await startGeneration(test, tenant.key);
      const socket = await begun();
      const refused: string[] = [];
      socket.on('message', (data) => {
        const message = JSON.parse(String(data)) as { id: string; type: string; payload?: { extensions: { reason: string } }[] };
        if (message.type === 'error') refused.push(`${message.id} ${message.payload?.[0]?.extensions.reason}`);
      });
      for (let count = 1; count <= 1_001; count++) socket.send(operation(String(count), `subscription { generationEvents(generationId: "${id}") { __typename } }`));
      await until(() => refused.length > 0);
      expect(refused).toEqual(['1001 RATE_LIMITED']);
      held.open();
    });
  });

  it.each([
    ['lists', `{"messages":${'['.repeat(60_000)}`],
    ['objects', `[${'{},'.repeat(60_000)}{}]`],
    ['fields', `{${Array.from({ length: 60_000 }, (_, index) => `"${index}":1`).join()}}`],
  ])('that sends too many %s is refused before they are parsed, signed in or not', async (_, body) => {
    const headers = { 'content-type': 'application/json' };
    const answers = await Promise.all(['/v1/chat/completions', '/graphql'].map((path) => fetch(test.url + path, { method: 'POST', headers, body })));
    for (const answer of answers) {
      expect(answer.status).toBe(413);
      expect(await answer.json()).toMatchObject({ error: { message: 'The body has too many lists, objects and fields: expected at most 50000 together.' } });
    }
  });

  it('whose text looks like structure, or is no UTF-8, is not taken for what it is not', async () => {
    const body = JSON.stringify({ model: TEST_MODEL, max_tokens: 10, prompt: '[{:"\\'.repeat(20_000) });
    const headers = { ...tenant.key, 'content-type': 'application/json' };
    expect((await fetch(`${test.url}/v1/completions`, { method: 'POST', headers, body })).status).toBe(200);
    const utf16 = { ...headers, 'content-type': 'application/json; charset=utf-16le' };
    const answer = await fetch(`${test.url}/v1/completions`, { method: 'POST', headers: utf16, body: Buffer.from(body, 'utf16le') });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { param: 'content-type' } });
  });

  it('that sends too much GraphQL over SSE is refused before it is read', async () => {
    const body = JSON.stringify({ query: `{ ${'a '.repeat(MIB)}}` });
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
    const answer = await fetch(`${test.url}/graphql/stream`, { method: 'POST', headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ errors: [{ message: expect.stringContaining('2000 tokens') as string }] });
  });
});
