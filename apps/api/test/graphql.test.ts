import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TenantService } from '../src/core/tenant/tenant.service.js';
import { createTenant, data, graphql, startApp, type TestApp } from './harness.js';

describe('GraphQL', () => {
  let test: TestApp;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    tenant = await createTenant(test);
  });
  afterAll(() => test.stop());

  const errorOf = async (query: string): Promise<{ message: string; code: string }> => {
    const error = (await graphql(test, tenant.key, query)).errors?.[0];
    return { message: error?.message ?? 'no error', code: error?.extensions.code ?? 'no error' };
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
    const answer = (await response.json()) as { data?: object; errors?: unknown[] };
    expect(answer.errors?.length).toBeGreaterThan(0);
    expect(answer.data ?? null).toBeNull();
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
    } finally {
      service.tenant = real;
    }
  });

  it('refuses bodies that are too large or no JSON, without quoting them', async () => {
    const post = (body: string): Promise<Response> =>
      fetch(`${test.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect((await post(JSON.stringify({ query: 'x'.repeat(9_000_000) }))).status).toBe(413);
    const broken = await post('{"query": "my secret prompt');
    expect(broken.status).toBe(400);
    expect(await broken.text()).not.toContain('secret');
  });
});
