/**
 * What each permission of a key opens: every operation of the schema, every field of the tenant and every route, under a
 * key of each permission. They are read from the application, so a new one fails here until it says what it needs.
 */
import { GraphQLSchemaHost } from '@nestjs/graphql';
import { getNamedType, getNullableType, type GraphQLField, type GraphQLInputType, type GraphQLSchema, isEnumType, isInputObjectType, isLeafType, isListType, isNonNullType, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newest } from './audit-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, type Credentials, data, graphql, type GraphqlAnswer, startApp, TEST_MODEL, type TestApp } from './harness.js';

const PERMISSIONS = ['FULL', 'INFERENCE', 'ADAPTERS_READ', 'ADAPTERS_WRITE', 'USAGE_READ'] as const;
type Permission = (typeof PERMISSIONS)[number];
/** 'any': whoever has a key at all. 'people': no key at all. */
type Needed = Permission | 'any' | 'people';

const NEEDED: Record<string, Needed> = {
  'Query.viewer': 'any',
  'Query.tenant': 'any',
  'Query.baseModels': 'any',
  'Query.invitation': 'any',
  'Query.auditActions': 'any',
  'Query.hubUrl': 'any',
  'Query.adapter': 'ADAPTERS_READ',
  'Query.deployment': 'ADAPTERS_READ',
  'Query.generation': 'INFERENCE',
  'Query.statement': 'USAGE_READ',
  'Mutation.generate': 'INFERENCE',
  'Mutation.startGeneration': 'INFERENCE',
  'Mutation.cancelGeneration': 'INFERENCE',
  'Mutation.createAdapter': 'ADAPTERS_WRITE',
  'Mutation.importAdapter': 'ADAPTERS_WRITE',
  'Mutation.finishAdapterUpload': 'ADAPTERS_WRITE',
  'Mutation.updateAdapter': 'ADAPTERS_WRITE',
  'Mutation.deleteAdapter': 'ADAPTERS_WRITE',
  'Mutation.createDeployment': 'ADAPTERS_WRITE',
  'Mutation.updateDeployment': 'ADAPTERS_WRITE',
  'Mutation.deleteDeployment': 'ADAPTERS_WRITE',
  'Mutation.createApiKey': 'people',
  'Mutation.rotateApiKey': 'people',
  'Mutation.updateApiKeyPermissions': 'people',
  'Mutation.updateApiKeyTargets': 'people',
  'Mutation.revokeApiKey': 'people',
  'Mutation.updateApiKeyLimits': 'people',
  'Mutation.updateTenantLimits': 'people',
  'Mutation.updateBillingDetails': 'people',
  'Query.batch': 'INFERENCE',
  'Mutation.createBatch': 'INFERENCE',
  'Mutation.cancelBatch': 'INFERENCE',
  'Tenant.batches': 'INFERENCE',
  'Subscription.generationEvents': 'INFERENCE',
  'Tenant.id': 'any',
  'Tenant.name': 'any',
  'Tenant.slug': 'any',
  'Tenant.createdAt': 'any',
  'Tenant.limitCeilings': 'any',
  'Tenant.members': 'FULL',
  'Tenant.invitations': 'people',
  'Tenant.mailsInvitations': 'any',
  'Tenant.apiKeys': 'people',
  'Tenant.auditEvents': 'people',
  'Tenant.auditActors': 'people',
  'Tenant.adapters': 'ADAPTERS_READ',
  'Tenant.storage': 'ADAPTERS_READ',
  'Tenant.deployments': 'ADAPTERS_READ',
  'Tenant.usage': 'USAGE_READ',
  'Tenant.statements': 'USAGE_READ',
  'Tenant.openStatements': 'USAGE_READ',
  'Tenant.billingDetails': 'USAGE_READ',
  'Tenant.limits': 'USAGE_READ',
  'Tenant.budget': 'USAGE_READ',
};
const NAMES: Record<Permission, string> = { FULL: 'full', INFERENCE: 'inference', ADAPTERS_READ: 'adapters:read', ADAPTERS_WRITE: 'adapters:write', USAGE_READ: 'usage:read' };

const opens = (held: Permission, needed: Needed): boolean =>
  needed === 'any' || held === needed || (held === 'FULL' && needed !== 'people') || (held === 'ADAPTERS_WRITE' && needed === 'ADAPTERS_READ');

/** Some value that GraphQL takes; what services say to it does not matter here. */
function literal(type: GraphQLInputType): string {
  const bare = getNullableType(type);
  if (isListType(bare)) return `[${literal(bare.ofType)}]`;
  if (isEnumType(bare)) return bare.getValues()[0]!.name;
  if (isInputObjectType(bare)) return `{ ${Object.values(bare.getFields()).filter((one) => isNonNullType(one.type)).map((one) => `${one.name}: ${literal(one.type)}`).join(', ')} }`;
  return ({ Int: '1', Float: '1', Boolean: 'true', DateTime: '"2026-01-01T00:00:00Z"' } as Record<string, string>)[String(bare)] ?? '"x"';
}

function asked(name: string, field: GraphQLField<unknown, unknown>): string {
  const args = field.args.filter((arg) => isNonNullType(arg.type)).map((arg) => `${arg.name}: ${literal(arg.type)}`);
  const text = `${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}${isLeafType(getNamedType(field.type)) ? '' : ' { __typename }'}`;
  const [kind] = name.split('.');
  return kind === 'Tenant' ? `{ tenant { ${text} } }` : `${kind!.toLowerCase()} { ${text} }`;
}

describe('permissions of API keys', () => {
  let test: TestApp;
  let shop: Awaited<ReturnType<typeof createTenant>>;
  let schema: GraphQLSchema;
  const keys = {} as Record<Permission, Credentials & { authorization: string }>;
  const ids = {} as Record<Permission, string>;
  beforeAll(async () => {
    test = await startApp();
    shop = await createTenant(test);
    ({ schema } = test.app.get(GraphQLSchemaHost));
    for (const one of PERMISSIONS) ({ key: keys[one], id: ids[one] } = await create(one, [one]));
  });
  afterAll(() => test.stop());

  async function create(name: string, permissions?: Permission[]): Promise<{ key: { authorization: string }; id: string; permissions: Permission[] }> {
    const query = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id permissions } } }';
    type Made = { createApiKey: { secret: string; apiKey: { id: string; permissions: Permission[] } } };
    const { createApiKey: made } = await data(graphql<Made>(test, shop.user.cookie, query, { input: { name, permissions } }));
    return { key: { authorization: `Bearer ${made.secret}` }, ...made.apiKey };
  }
  const change = (id: string, permissions: string[]): Promise<GraphqlAnswer<{ updateApiKeyPermissions: { apiKey: { permissions: string[] } } }>> =>
    graphql(test, shop.user.cookie, 'mutation ($input: UpdateApiKeyPermissionsInput!) { updateApiKeyPermissions(input: $input) { apiKey { permissions } } }', { input: { apiKeyId: id, permissions } });

  const fields = (): Map<string, GraphQLField<unknown, unknown>> =>
    new Map(
      ['Query', 'Mutation', 'Subscription', 'Tenant'].flatMap((name) => {
        const type = schema.getType(name);
        return isObjectType(type) ? Object.values(type.getFields()).map((field) => [`${name}.${field.name}`, field] as const) : [];
      }),
    );

  async function ask(credentials: Credentials, query: string): Promise<GraphqlAnswer<unknown>> {
    if (!query.startsWith('subscription')) return graphql(test, credentials, query);
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream', ...credentials };
    const response = await fetch(`${test.url}/graphql/stream`, { method: 'POST', headers, body: JSON.stringify({ query }), signal: AbortSignal.timeout(5_000) });
    const line = (await response.text()).split('\n').find((one) => one.startsWith('data: {'));
    return JSON.parse(line?.slice('data: '.length) ?? '{}') as GraphqlAnswer<unknown>;
  }

  it('are known here for every operation and every field of the tenant', () => {
    expect([...fields().keys()].sort()).toEqual(Object.keys(NEEDED).sort());
  });

  it.each(Object.entries(NEEDED))('%s needs %s', async (name, needed) => {
    const query = asked(name, fields().get(name)!);
    for (const held of PERMISSIONS) {
      const { errors } = await ask(keys[held], query);
      const text = JSON.stringify(errors ?? null);
      expect(text, query).not.toContain('GRAPHQL_VALIDATION_FAILED');
      if (opens(held, needed)) expect(text, held).not.toContain('FORBIDDEN');
      else expect(text, held).toContain('FORBIDDEN');
      if (!opens(held, needed) && needed !== 'people' && needed !== 'any') expect(errors?.[0]?.message).toContain(`has no "${NAMES[needed]}", found ${NAMES[held]}`);
    }
  });

  it.each<[string, string, RequestInit, Needed]>([
    ['a completion', '/v1/completions', { method: 'POST', body: JSON.stringify({ model: 'x', prompt: 'x' }) }, 'INFERENCE'],
    ['a chat completion', '/v1/chat/completions', { method: 'POST', body: JSON.stringify({ model: 'x', messages: [{ role: 'user', content: 'x' }], stream: true }) }, 'INFERENCE'],
    ['a response', '/v1/responses', { method: 'POST', body: JSON.stringify({ model: 'x', input: 'x' }) }, 'INFERENCE'],
    ['a message', '/v1/messages', { method: 'POST', body: JSON.stringify({ model: 'x', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] }) }, 'INFERENCE'],
    ['the list of models', '/v1/models', {}, 'INFERENCE'],
    ['a model', `/v1/models/${TEST_MODEL}`, {}, 'INFERENCE'],
    ['the list of files', '/v1/files', {}, 'INFERENCE'],
    ['a new file', '/v1/files', { method: 'POST' }, 'INFERENCE'],
    ['a file', '/v1/files/x', {}, 'INFERENCE'],
    ['the end of a file', '/v1/files/x', { method: 'DELETE' }, 'INFERENCE'],
    ["a file's content", '/v1/files/x/content', {}, 'INFERENCE'],
    ['the list of batches', '/v1/batches', {}, 'INFERENCE'],
    ['a new batch', '/v1/batches', { method: 'POST', body: '{}' }, 'INFERENCE'],
    ['a batch', '/v1/batches/x', {}, 'INFERENCE'],
    ['the end of a batch', '/v1/batches/x/cancel', { method: 'POST', body: '{}' }, 'INFERENCE'],
    ['a file for a browser', '/batch-files/x', {}, 'INFERENCE'],
    ['a new file of a browser', '/batch-files', { method: 'POST' }, 'INFERENCE'],
    ['a statement', '/statements/2026-01.pdf', {}, 'USAGE_READ'],
    ['an upload', '/uploads/x', { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } }, 'ADAPTERS_WRITE'],
    ['the audit log', '/audit-events/events.csv', {}, 'people'],
  ])('%s by HTTP: %s', async (_what, path, init, needed) => {
    for (const held of PERMISSIONS) {
      const response = await fetch(`${test.url}${path}`, { ...init, headers: { 'content-type': 'application/json', ...init.headers, ...keys[held] } });
      if (opens(held, needed)) expect(response.status, held).not.toBe(403);
      else expect(response.status, held).toBe(403);
      const text = await response.text();
      if (path.startsWith('/v1') && response.status === 403) {
        expect(JSON.parse(text)).toMatchObject({ error: { type: 'permission_error', message: expect.stringContaining('"inference"') as string } });
      }
    }
  });

  it('hold from the next request after a change, which is in the audit log', async () => {
    const { key, id } = await create('changing', ['USAGE_READ']);
    expect((await fetch(`${test.url}/v1/models`, { headers: key })).status).toBe(403);
    expect((await change(id, ['ADAPTERS_WRITE', 'INFERENCE', 'ADAPTERS_READ', 'INFERENCE'])).data?.updateApiKeyPermissions.apiKey.permissions).toEqual(['INFERENCE', 'ADAPTERS_WRITE']);
    expect((await fetch(`${test.url}/v1/models`, { headers: key })).status).toBe(200);
    const { changes, resource } = await newest(test, shop.user.cookie, 'apiKey.updatePermissions');
    expect([resource.id, changes]).toEqual([id, [{ field: 'permissions', before: ['usage:read'], after: ['inference', 'adapters:write'] }]]);
  });

  it('are all of them where none are named, and never none', async () => {
    expect((await create('old style')).permissions).toEqual(['FULL']);
    expect((await create('more', ['FULL', 'USAGE_READ'])).permissions).toEqual(['FULL']);
    expect((await change(ids.FULL, [])).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'permissions' });
    expect((await change('nonsense', ['FULL'])).errors?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', field: 'apiKeyId' });
  });

  it('of a row that was there before the migration are all of them, and the database takes no others', async () => {
    const [row] = await sql<{ permissions: string[] }>(test, "INSERT INTO api_keys (id, tenant_id, name, prefix, key_hash) VALUES (gen_random_uuid(), $1, 'old', 'aril_x', 'x') RETURNING permissions", [shop.id]);
    expect(row?.permissions).toEqual(['full']);
    await expect(sql(test, "UPDATE api_keys SET permissions = ARRAY['everything'] WHERE key_hash = 'x'")).rejects.toThrow(/api_keys_permissions/);
    await expect(sql(test, "UPDATE api_keys SET permissions = ARRAY[]::text[] WHERE key_hash = 'x'")).rejects.toThrow(/api_keys_permissions/);
  });

  it('stay what they are when the key is rotated', async () => {
    const query = 'mutation ($id: ID!) { rotateApiKey(input: { apiKeyId: $id }) { apiKey { permissions } } }';
    const { rotateApiKey } = await data(graphql<{ rotateApiKey: { apiKey: { permissions: string[] } } }>(test, shop.user.cookie, query, { id: ids.INFERENCE }));
    expect(rotateApiKey.apiKey.permissions).toEqual(['INFERENCE']);
  });
});
