import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import { TenantService } from '../src/core/tenant/tenant.service.js';
import { createTenant, data, graphql, type GraphqlError, startApp, type TestApp } from './harness.js';

describe('GraphQL', () => {
  let test: TestApp;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    tenant = await createTenant(test);
  });
  afterAll(() => test.stop());
  afterEach(() => vi.restoreAllMocks());

  const errorOf = async (query: string): Promise<{ message: string; code: string }> => {
    const error = (await graphql(test, tenant.key, query)).errors?.[0];
    return { message: error?.message ?? 'no error', code: error?.extensions.code ?? 'no error' };
  };

  /** The first answer to an operation over a WebSocket. */
  const overSocket = async (query: string): Promise<object> => {
    const socket = new WebSocket(`${test.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const next = async (): Promise<object> => {
      const [message] = (await once(socket, 'message')) as [Buffer];
      return JSON.parse(message.toString()) as object;
    };
    try {
      await once(socket, 'open');
      socket.send(JSON.stringify({ type: 'connection_init', payload: tenant.key }));
      await next();
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      return await next();
    } finally {
      socket.terminate();
    }
  };

  it('can be introspected', async () => {
    const { __schema } = await data(graphql<{ __schema: { queryType: { name: string } } }>(test, {}, '{ __schema { queryType { name } types { name fields { name type { name ofType { name ofType { name ofType { name } } } } } } } }'));
    expect(__schema.queryType.name).toBe('Query');
  });

  it('does not help guessing', async () => {
    const { message, code } = await errorOf('{ tenant { slugg } }');
    expect(code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(message).not.toMatch(/did you mean/i);
  });

  it.each([
    ['aliases', `{ ${Array.from({ length: 16 }, (_, i) => `a${i}: tenant { id }`).join(' ')} }`],
    ['tokens', `{ ${'viewer { id } '.repeat(700)} }`],
    ['directives', `{ viewer ${'@include(if: true) '.repeat(30)} { id } }`],
    ['batches', null],
  ])('limits %s', async (_, query) => {
    const response = await fetch(`${test.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...tenant.key },
      body: JSON.stringify(query === null ? [{ query: '{ viewer { id } }' }, { query: '{ viewer { id } }' }] : { query }),
    });
    expect(response.status).toBe(400);
    const answer = (await response.json()) as { data?: object; errors?: unknown[] };
    expect(answer.errors?.length).toBeGreaterThan(0);
    expect(answer.data ?? null).toBeNull();
  });

  it.each([
    ['statement(id: "0000-01") { id }', 'NOT_FOUND'],
    ['tenant { usage(input: { from: "0000-01-01T00:00:00Z", to: "0000-02-01T00:00:00Z" }) { totals { requests } } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['tenant { usage(input: { from: "0001-01-01T00:00:00+01:00", to: "0001-02-01T00:00:00Z" }) { totals { requests } } }', 'GRAPHQL_VALIDATION_FAILED'],
    [`tenant { statements(after: "${Buffer.from('["0000-01-01T00:00:00Z","00000000-0000-0000-0000-000000000000"]').toString('base64url')}") { totalCount } }`, 'BAD_USER_INPUT'],
  ])('refuses the year 0, which Postgres does not know: %s', async (query, code) => {
    expect((await errorOf(`{ ${query} }`)).code).toBe(code);
  });

  it('limits what comes over other transports too', async () => {
    const query = `{ ${'viewer { id } '.repeat(700)} }`;
    expect(await overSocket(query)).toMatchObject({ type: 'error', payload: [{ message: expect.stringContaining('tokens') as string }] });
    const response = await fetch(`${test.url}/graphql/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...tenant.key },
      body: JSON.stringify({ query }),
    });
    expect(await response.text()).toContain('tokens');
  });

  it('tells nothing of unexpected errors but where to ask', async () => {
    const service = test.app.get(TenantService);
    const real = service.tenant;
    service.tenant = () => Promise.reject(new Error('password=hunter2 at /srv/secret.ts'));
    try {
      const { errors } = await graphql(test, tenant.key, '{ tenant { id } }');
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', reason: 'INTERNAL', retryable: false });
      expect(JSON.stringify(errors)).not.toMatch(/hunter2|secret\.ts/);
      expect(errors?.[0]?.message).toContain(errors?.[0]?.extensions.requestId as string);
      const logged = vi.spyOn(Logger.prototype, 'error');
      const { payload } = (await overSocket('{ tenant { id } }')) as { payload: { errors: GraphqlError[] } };
      const requestId = payload.errors[0]?.extensions.requestId;
      expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(payload.errors[0]?.message).toContain(requestId);
      expect(logged).toHaveBeenCalledWith(expect.objectContaining({ requestId }), 'unexpected error');
    } finally {
      service.tenant = real;
    }
  });

  it('refuses bodies that are too large or no JSON, without quoting them', async () => {
    const post = (body: string): Promise<Response> =>
      fetch(`${test.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect((await post(JSON.stringify({ query: 'x'.repeat(9_000_000) }))).status).toBe(413);
    for (const none of ['null', '5', '[]']) expect((await post(none)).status, none).toBe(400);
    const broken = await post('{"query": "my secret prompt');
    expect(broken.status).toBe(400);
    expect(await broken.text()).not.toContain('secret');
  });
});
