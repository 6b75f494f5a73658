/** What HTTP clients meet before any feature does: upgrades, connections that are kept, other origins, outages. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@aril/local-services';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { createApp } from '../src/app.js';
import { reportError } from '../src/base/errors/error-report.js';
import { createLogger } from '../src/base/logging/logger.js';
import { TenantDatabase } from '../src/base/prisma/tenant-database.js';
import { chunks, Connection, head, json, split } from './connection.js';
import { createTenant, graphql, startApp, type TestApp } from './harness.js';
import { roadTo } from './road.js';
import { gate } from './scripted-runner.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

/** What curl --http2 and Java's HttpClient send with their first request. */
const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
const QUERY = JSON.stringify({ query: '{ __typename }' });
const ANSWER = '{"data":{"__typename":"Query"}}';

describe('HTTP', () => {
  let test: TestApp;
  let tenant: Tenant;
  beforeAll(async () => {
    test = await startApp();
    tenant = await createTenant(test);
  });
  afterAll(() => test.stop());

  describe('connections', () => {
    const open: Connection[] = [];
    afterEach(() => open.splice(0).forEach((connection) => connection.socket.destroy()));
    const dial = (): Connection => {
      const connection = new Connection(test.config.API_PORT);
      open.push(connection);
      return connection;
    };
    const server = (): Server => test.app.getHttpServer() as Server;
    const socketsOf = (): Promise<number> => new Promise((resolve, reject) => {
      server().getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });

    it.each([
      ['GET', [head('GET', '/health', H2C)], '{"status":"ok"}'],
      ['GET in pieces', split(head('GET', '/health', H2C)), '{"status":"ok"}'],
      ['GET on the path of WebSockets', [head('GET', '/graphql?query={__typename}', [...H2C, 'apollo-require-preflight: 1'])], ANSWER],
      ['GET of another protocol', [head('GET', '/health', ['Connection: upgrade', 'Upgrade: TLS/1.3, foo'])], '{"status":"ok"}'],
      ['POST', [`${head('POST', '/graphql', [...H2C, ...json(QUERY)])}${QUERY}`], ANSWER],
      ['POST with a body that comes later', [head('POST', '/graphql', [...H2C, ...json(QUERY)]), ...split(QUERY)], ANSWER],
      ['POST in chunks', [head('POST', '/graphql', [...H2C, 'Content-Type: application/json', 'Transfer-Encoding: chunked']), ...chunks(QUERY)], ANSWER],
      ['POST that offers a WebSocket', [head('POST', '/graphql', ['Connection: upgrade', 'Upgrade: websocket', ...json(QUERY)]), QUERY], ANSWER],
    ])('answers a request that offers an upgrade, and those after it: %s', async (_, packets, body) => {
      const connection = dial();
      for (let round = 0; round < 3; round++) {
        await connection.send(packets);
        const answer = await connection.answer();
        expect(answer).toMatch(/^HTTP\/1\.1 200 /);
        expect(answer).toContain(body);
        expect(answer).toMatch(/\r\nConnection: keep-alive\r\n/i);
      }
      await connection.send([head('GET', '/health')]);
      expect(await connection.answer()).toContain('{"status":"ok"}');
    });

    it('keeps nothing of a connection that offered upgrades', async () => {
      const before = await socketsOf();
      const connection = dial();
      const listeners: number[] = [];
      server().on('request', count);
      for (let round = 0; round < 12; round++) {
        await connection.send([head('GET', '/health', H2C)]);
        await connection.answer();
      }
      server().off('request', count);
      expect(new Set(listeners.slice(1)).size).toBe(1);
      connection.socket.destroy();
      await expect.poll(socketsOf).toBe(before);

      function count({ socket }: { socket: Socket }): void {
        listeners.push(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0));
      }
    });

    it.each(['/v1/models', '/nowhere', '/graphqlx', '/graphql/stream'])('has no WebSockets at %s', async (path) => {
      const connection = dial();
      const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];
      await connection.send([head('GET', path, [...handshake, `Authorization: ${tenant.key.authorization}`])]);
      expect(await connection.answer()).toMatch(/^HTTP\/1\.1 404 [\s\S]*\r\nConnection: close\r\n[\s\S]*\{"error":/i);
      await connection.closed;
    });

    it('has WebSockets at /graphql', async () => {
      const socket = new WebSocket(`${test.url.replace('http', 'ws')}/graphql?x=1`, 'graphql-transport-ws');
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      socket.terminate();
    });

    it('ends requests whose rest does not come, and no connection before load balancers do', async () => {
      const { keepAliveTimeout, headersTimeout, requestTimeout } = server();
      expect(keepAliveTimeout).toBeGreaterThan(60_000);
      expect(headersTimeout).toBeGreaterThan(keepAliveTimeout);
      expect(requestTimeout).toBeGreaterThan(headersTimeout);
      const connection = dial();
      await connection.send([head('GET', '/health', H2C)]);
      expect(await connection.answer()).toMatch(/\r\nKeep-Alive: timeout=75\r\n/i);
    });

    it('stops at once, whatever connections are open', async () => {
      const peer = await test.peer();
      const [used, unused, late] = [0, 0, 0].map(() => new Connection(peer.config.API_PORT)) as [Connection, Connection, Connection];
      open.push(used, unused, late);
      await used.send([head('GET', '/health', H2C)]);
      await used.answer();
      await late.send([head('POST', '/graphql', json(QUERY))]);
      await sleep(50);
      const begun = Date.now();
      const stopped = peer.stop();
      await sleep(300);
      await late.send([QUERY]);
      expect(await late.answer()).toContain(ANSWER);
      await stopped;
      expect(Date.now() - begun).toBeLessThan(8_000);
      await Promise.all([used.closed, unused.closed, late.closed]);
    });
  });

  describe('other origins', () => {
    const ORIGIN = { origin: 'https://app.example.test' };
    const preflight = (path: string, headers: string): Promise<Response> =>
      fetch(`${test.url}${path}`, {
        method: 'OPTIONS',
        headers: { ...ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
      });

    it('may use /v1 with an API key', async () => {
      const wanted = 'authorization,content-type,idempotency-key,x-stainless-os';
      const allowed = await preflight('/v1/chat/completions', wanted);
      expect(allowed.status).toBe(204);
      expect(allowed.headers.get('access-control-allow-origin')).toBe('*');
      expect(allowed.headers.get('access-control-allow-headers')).toBe(wanted);
      expect(allowed.headers.get('access-control-allow-methods')).toContain('POST');
      expect(allowed.headers.get('access-control-allow-credentials')).toBeNull();
      for (const [headers, status] of [[{ ...ORIGIN, ...tenant.key }, 200], [ORIGIN, 401]] as const) {
        const answer = await fetch(`${test.url}/v1/models`, { headers });
        expect(answer.status).toBe(status);
        expect(answer.headers.get('access-control-allow-origin')).toBe('*');
        expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
        expect(answer.headers.get('access-control-expose-headers')).toMatch(/^x-request-id,.*retry-after,.*x-aril-variant,.*x-ratelimit-remaining-tokens/);
      }
    });

    it.each([['https://app.example.test', 403], ['null', 403], ['http://127.0.0.1:3000', 401]])('may not use /v1 with a cookie: %s', async (origin, status) => {
      expect((await fetch(`${test.url}/v1/models`, { headers: { origin, ...tenant.user.cookie } })).status).toBe(status);
    });

    it('may use nothing else, but for the portal', async () => {
      for (const path of ['/graphql', '/v10/models', '/api/auth/get-session']) {
        expect((await preflight(path, 'content-type')).headers.get('access-control-allow-origin')).toBeNull();
      }
      const portal = await fetch(`${test.url}/health`, { headers: { origin: 'http://127.0.0.1:3000' } });
      expect(portal.headers.get('access-control-allow-origin')).toBe('http://127.0.0.1:3000');
      expect(portal.headers.get('access-control-allow-credentials')).toBe('true');
    });
  });

  it.each(['refused', 'dropped', 'silent'] as const)('is overloaded while connections to Postgres are %s, and well afterwards', async (how) => {
    const road = await roadTo(new URL(test.config.DATABASE_URL));
    const port = await freePort();
    const app = await createApp({ ...test.config, API_PORT: port, DATABASE_URL: road.url, DATABASE_TIMEOUT_S: 3 }, createLogger(test.config));
    await app.listen(port, '127.0.0.1');
    const away = { ...test, url: `http://127.0.0.1:${port}` };
    const models = (): Promise<Response> => fetch(`${away.url}/v1/models`, { headers: tenant.key });
    try {
      expect((await models()).status).toBe(200);
      const closed = gate();
      const database = app.get(TenantDatabase);
      const midway = database.inTenant(tenant.id, async () => {
        await road.close(how);
        closed.open();
        await database.tx.$queryRaw`SELECT 1`;
      }).catch((error: unknown) => error);
      await closed.opened;
      const answer = await models();
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await answer.json()).toMatchObject({ error: { code: 'overloaded', type: 'server_error' } });
      const { errors } = await graphql(away, tenant.key, '{ tenant { id } }');
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'OVERLOADED', reason: 'OVERLOADED', retryable: true });
      // Better Auth itself would say "not signed in", or nothing that tells an outage from a mistake of ours.
      const bySession = await graphql(away, tenant.user.cookie, '{ tenant { id } }');
      expect(bySession.errors?.[0]?.extensions).toMatchObject({ code: 'OVERLOADED', retryable: true });
      expect((await fetch(`${away.url}/v1/models`, { headers: tenant.user.cookie })).status).toBe(503);
      for (const path of ['get-session', 'organization/list']) {
        expect((await fetch(`${away.url}/api/auth/${path}`, { headers: tenant.user.cookie })).status).toBe(503);
      }
      const signIn = { email: tenant.user.email, password: tenant.user.password };
      const headers = { 'content-type': 'application/json', origin: 'http://127.0.0.1:3000' };
      expect((await fetch(`${away.url}/api/auth/sign-in/email`, { method: 'POST', headers, body: JSON.stringify(signIn) })).status).toBe(503);
      expect(reportError(await midway, 'id')).toMatchObject({ code: 'OVERLOADED' });
      await road.open();
      await expect.poll(async () => (await models()).status).toBe(200);
    } finally {
      await app.close();
      await road.close('refused');
    }
  });
});
