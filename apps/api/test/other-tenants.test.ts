/**
 * Everything that can be asked for, asked for by another tenant: each operation of the schema and each route, with real
 * ids of the first tenant, by a session and by a key. What is there is read from the application itself, so a new
 * operation, a new id among its arguments or a new route fails here until it says what it answers to strangers.
 */
import { buildClientSchema, getIntrospectionQuery, getNamedType, type GraphQLField, type GraphQLInputType, type GraphQLOutputType, type GraphQLSchema, isInputObjectType, isObjectType, isUnionType, type IntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StatementIssuer } from '../src/core/billing/statement-issuer.js';
import { AUTH, type Auth } from '../src/core/identity/auth.js';
import { bringAdapter, createAdapter, fixture, upload } from './adapter-fixtures.js';
import { use } from './billing-fixtures.js';
import { CHAT, chatLine, ended, startBatch } from './batch-fixtures.js';
import { createDeployment } from './deployment-fixtures.js';
import { generate, reasonOf, sql, startGeneration } from './generation-fixtures.js';
import { createTenant, type Credentials, data, graphql, type GraphqlAnswer, ORIGIN, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { invite } from './member-fixtures.js';
import { openaiClient } from './openai-client.js';
import { ScriptedRunner } from './scripted-runner.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
type Ids = Record<'adapter' | 'uploading' | 'deployment' | 'variant' | 'key' | 'generation' | 'open' | 'statement' | 'line' | 'invitation' | 'member' | 'user' | 'upload' | 'batch' | 'batchInput' | 'batchOutput', string>;
type Args = Record<string, unknown>;
/** What strangers get: an error, or an answer that has nothing of the other tenant. */
type Outcome = 'refused' | 'own';
interface Attack {
  outcome: Outcome;
  /** Several where one alone would hide the others. */
  args: (a: Ids, b: Ids) => Args[];
  /** For fields of other types than the three: a query around the field. */
  query?: string;
}

const input = (...each: Args[]): Args[] => each.map((one) => ({ input: one }));
const refused = (args: Attack['args'], query?: string): Attack => ({ outcome: 'refused', args, query });
const own = (args: Attack['args'] = () => [{}], query?: string): Attack => ({ outcome: 'own', args, query });
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PERIOD = { from: '2026-01-01T00:00:00Z', to: '2026-12-01T00:00:00Z' };
const FILES = [{ name: 'adapter_config.json', bytes: 10 }, { name: 'adapter_model.safetensors', bytes: 10 }];
const target = [{ target: 'secret-adapter' }, { target: 'secret-split' }];
const prompts = target.map((named) => ({ ...named, prompt: 'x' }));

const ATTACKS: Record<string, Attack> = {
  'Query.viewer': own(),
  'Query.tenant': own(),
  'Query.baseModels': own(),
  'Query.auditActions': own(),
  'Query.hubUrl': own(),
  // For whoever has the link, as invited people have no account yet.
  'Query.invitation': own(() => []),
  'Query.adapter': refused(({ adapter, uploading }) => [{ id: adapter }, { id: uploading }]),
  'Query.deployment': refused(({ deployment }) => [{ id: deployment }]),
  'Query.generation': refused(({ generation, open }) => [{ id: generation }, { id: open }]),
  'Query.statement': refused(({ statement }) => [{ id: statement }]),
  'Subscription.generationEvents': refused(({ generation, open }) => [generation, open].flatMap((generationId) => [{ generationId }, { generationId, after: 1 }])),
  'Mutation.createApiKey': own(() => input({ name: 'mine' })),
  'Mutation.rotateApiKey': refused(({ key }) => input({ apiKeyId: key, graceSeconds: 0 }, { apiKeyId: key })),
  'Mutation.updateApiKeyPermissions': refused(({ key }) => input({ apiKeyId: key, permissions: ['INFERENCE'] })),
  'Mutation.updateApiKeyTargets': refused(({ key }) => input({ apiKeyId: key, targets: null })),
  'Mutation.revokeApiKey': refused(({ key }) => input({ apiKeyId: key })),
  'Mutation.updateApiKeyLimits': refused(({ key }) => input({ apiKeyId: key, budgetHard: '0' })),
  'Mutation.createAdapter': own(() => input({ slug: 'secret-upload', baseModelId: TEST_MODEL, files: FILES })),
  'Mutation.importAdapter': own(() => input({ slug: 'secret-import', baseModelId: TEST_MODEL, source: { repository: 'a/b' } })),
  'Mutation.finishAdapterUpload': refused(({ uploading }) => input({ adapterId: uploading })),
  'Mutation.updateAdapter': refused(({ adapter }) => input({ adapterId: adapter, name: 'taken' })),
  'Mutation.deleteAdapter': refused(({ adapter, uploading }) => input({ adapterId: adapter }, { adapterId: uploading })),
  'Mutation.createDeployment': refused(({ variant }) => input(...target.map((to) => ({ slug: 'mine', baseModelId: TEST_MODEL, variants: [{ ...to, weight: 1 }] })), { slug: 'mine-2', baseModelId: TEST_MODEL, variants: [{ id: variant, target: TEST_MODEL, weight: 1 }] })),
  'Mutation.updateDeployment': refused(({ deployment, variant }, mine) =>
    input({ deploymentId: deployment, name: 'taken' }, { deploymentId: mine.deployment, variants: [{ id: variant, target: TEST_MODEL, weight: 1 }] }, { deploymentId: mine.deployment, variants: [{ target: 'secret-adapter', weight: 1 }] }),
  ),
  'Mutation.deleteDeployment': refused(({ deployment }) => input({ deploymentId: deployment })),
  'Mutation.updateTenantLimits': own(() => input({ requestsPerMinute: 1_000 })),
  'Mutation.generate': refused(() => input(...prompts)),
  'Mutation.startGeneration': refused(() => input(...prompts)),
  'Mutation.cancelGeneration': refused(({ open, generation }) => input({ generationId: open }, { generationId: generation })),
  'Mutation.updateBillingDetails': own(() => input({ legalName: 'Mine' })),
  'Query.batch': refused(({ batch }) => [{ id: batch }]),
  'Mutation.createBatch': refused(({ batchInput, batchOutput }) => input(...[batchInput, batchOutput].map((inputFileId) => ({ inputFileId, endpoint: CHAT })))),
  'Mutation.cancelBatch': refused(({ batch }) => input({ batchId: batch })),
  'Tenant.usage': own(({ adapter, deployment }) => input({ ...PERIOD, adapterId: adapter }, { ...PERIOD, deploymentId: deployment }), 'query ($input: UsageInput!) { tenant { usage(input: $input) { totals { requests } groups { target apiKeyId } } } }'),
  'Tenant.auditEvents': own(
    (theirs) => [{}, ...Object.values(theirs).filter((id) => UUID.test(id)).flatMap((id) => [{ filter: { resourceId: id } }, { filter: { actorId: id } }])],
    'query ($filter: AuditFilter) { tenant { auditActors { id name handle } auditEvents(first: 50, filter: $filter) { totalCount nodes { actor { id name handle } resource { id label } changes { field before after } } } } }',
  ),
  'Statement.line': own(({ line }) => [{ id: line }], 'query ($id: ID!) { tenant { openStatements { month line(id: $id) { id target } } } }'),
};
/** Names of base models, which all tenants share. */
const SHARED_IDS = ['baseModelId'];

const ROUTES: Record<string, 'attacked' | 'of nobody' | 'the schema'> = {
  '/graphql/stream': 'the schema',
  '/health': 'of nobody',
  '/ready': 'of nobody',
  '/statements/:file': 'attacked',
  '/audit-events/:file': 'attacked',
  '/v1/chat/completions': 'attacked',
  '/v1/completions': 'attacked',
  '/v1/responses': 'attacked',
  '/v1/messages': 'attacked',
  '/v1/messages/count_tokens': 'attacked',
  '/v1/models': 'attacked',
  '/v1/models/:id': 'attacked',
  '/v1/files': 'attacked',
  '/v1/files/:id': 'attacked',
  '/v1/files/:id/content': 'attacked',
  '/v1/batches': 'attacked',
  '/v1/batches/:id': 'attacked',
  '/v1/batches/:id/cancel': 'attacked',
  '/batch-files': 'attacked',
  '/batch-files/:id': 'attacked',
  '/v1': 'of nobody',
  '/v1/{*path}': 'of nobody',
  '/uploads': 'attacked',
  '/uploads/*path': 'attacked',
  '/api/auth/*path': 'attacked',
};

describe('what another tenant can ask for', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let schema: GraphQLSchema;
  let [a, b] = [] as unknown as [Tenant, Tenant];
  let [idsOfA, idsOfB] = [] as unknown as [Ids, Ids];
  let before: string;

  beforeAll(async () => {
    test = await startApp();
    runner = new ScriptedRunner(test);
    [a, b] = [await createTenant(test), await createTenant(test)];
    [idsOfA, idsOfB] = [await furnish(a, 'secret'), await furnish(b, 'other')];
    await runner.pause();
    idsOfA.open = (await startGeneration(test, a.key)).id;
    const { data: found } = await graphql<IntrospectionQuery>(test, b.key, getIntrospectionQuery());
    schema = buildClientSchema(found!);
    before = await rowsOf(a);
  });
  afterEach(async () => expect(await rowsOf(a)).toBe(before));
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  async function furnish(tenant: Tenant, name: string): Promise<Ids> {
    const { user, key, id } = tenant;
    const adapter = await bringAdapter(test, key, `${name}-adapter`, fixture('a'));
    const uploading = await createAdapter(test, key, `${name}-upload`, fixture('b'));
    const url = await upload(test, key, uploading.id, 'adapter_config.json', fixture('b')['adapter_config.json']);
    const deployment = await createDeployment(test, key, { slug: `${name}-split`, variants: [{ target: `${name}-adapter`, weight: 1 }] });
    const generation = await generate(test, key, { target: `${name}-adapter` });
    const batch = await endedBatch(tenant, `${name}-adapter`);
    await use(test, id, { at: '2026-09-10T00:00:00Z' });
    await test.app.get(StatementIssuer, { strict: false }).issueDueOf(id);
    const invited = await invite(test, user, `${name}@example.test`, 'member');
    const asked = '{ tenant { members { id user { id } } apiKeys { id } statements { nodes { id lines { id } } } } }';
    interface Found {
      members: { id: string; user: { id: string } }[];
      apiKeys: { id: string }[];
      statements: { nodes: { id: string; lines: { id: string }[] }[] };
    }
    const { members, apiKeys, statements } = (await data(graphql<{ tenant: Found }>(test, user.cookie, asked))).tenant;
    const [statement, member] = [statements.nodes[0]!, members[0]!];
    return {
      ...{ adapter: adapter.id, uploading: uploading.id, upload: new URL(url).pathname, deployment: deployment.id, variant: deployment.variants[0]!.id },
      ...{ key: apiKeys[0]!.id, generation: generation.id, open: '', statement: statement.id, line: statement.lines[0]!.id },
      ...{ batch: batch.id, batchInput: batch.input_file_id, batchOutput: batch.output_file_id ?? '' },
      ...{ invitation: invited.body.id, member: member.id, user: member.user.id },
    };
  }

  async function endedBatch({ key }: Tenant, model: string) {
    const client = openaiClient(test, key);
    return ended(client, (await startBatch(client, [chatLine('secret', { model })])).id);
  }

  /** All that the database has of a tenant. */
  async function rowsOf({ id, user }: Tenant): Promise<string> {
    const tables = await sql<{ name: string }>(test, "SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1");
    expect(tables.length).toBeGreaterThan(12);
    const parts = tables.map(({ name }) => `SELECT '${name}' AS name, string_agg(t::text, chr(10) ORDER BY t::text) AS rows FROM ${name} t WHERE tenant_id = $1`);
    const person = "SELECT 'users', concat(u::text, (SELECT count(*) FROM sessions s WHERE s.user_id = u.id)) FROM users u WHERE email = $2";
    return JSON.stringify(await sql(test, [...parts, "SELECT 'tenants', t::text FROM tenants t WHERE id = $1", person].join(' UNION ALL '), [id, user.email]));
  }

  /** Nothing of the first tenant's in `answer`, but for what was sent. */
  function expectNothingOfA(answer: unknown, sent: unknown): void {
    const [text, known] = [JSON.stringify(answer), JSON.stringify(sent)];
    const secrets = [...Object.values(idsOfA), a.id, a.user.email, a.user.tenantName, 'secret-adapter', 'secret-split', 'secret@example.test', 'Once upon a time'];
    expect(secrets.filter((secret) => secret !== '' && text.includes(secret) && !known.includes(secret))).toEqual([]);
  }

  async function subscribe(credentials: Credentials, query: string, variables: Args): Promise<GraphqlAnswer<unknown>> {
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream', ...credentials };
    const response = await fetch(`${test.url}/graphql/stream`, { method: 'POST', headers, body: JSON.stringify({ query, variables }), signal: AbortSignal.timeout(5_000) });
    const line = (await response.text()).split('\n').find((one) => one.startsWith('data: {'));
    return JSON.parse(line?.slice('data: '.length) ?? '{}') as GraphqlAnswer<unknown>;
  }

  const roots = (): [string, GraphQLField<unknown, unknown>][] =>
    [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) => Object.values(type!.getFields()).map((field) => [`${type!.name}.${field.name}`, field] as [string, GraphQLField<unknown, unknown>]));

  /** Of a field's arguments, those that are ids, as paths. */
  const idsIn = (type: GraphQLInputType, path: string): string[] => {
    const named = getNamedType(type);
    if (isInputObjectType(named)) return Object.values(named.getFields()).flatMap((field) => idsIn(field.type, `${path}.${field.name}`));
    return named.name === 'ID' && !SHARED_IDS.includes(path.split('.').at(-1)!) ? [path] : [];
  };
  const idArgs = (field: GraphQLField<unknown, unknown>): string[] => field.args.flatMap((arg) => idsIn(arg.type, arg.name));

  const pathsOf = (value: unknown, path: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((each) => pathsOf(each, path));
    if (value === null || typeof value !== 'object') return [path];
    return Object.entries(value).flatMap(([key, each]) => pathsOf(each, path ? `${path}.${key}` : key));
  };

  /** Everything that needs no argument, three levels down. */
  const selection = (type: GraphQLOutputType, depth = 3): string => {
    const named = getNamedType(type);
    if (isUnionType(named)) return `{ __typename ${named.getTypes().map((each) => `... on ${each.name} ${selection(each, 1)}`).join(' ')} }`;
    if (!isObjectType(named)) return '';
    const fields = Object.values(named.getFields()).filter((field) => field.args.every((arg) => arg.defaultValue !== undefined || !String(arg.type).endsWith('!')));
    const parts = fields.flatMap((field) => {
      const inner = getNamedType(field.type);
      if (!isObjectType(inner) && !isUnionType(inner)) return [field.name];
      return depth > 1 ? [`${field.name} ${selection(field.type, depth - 1)}`] : [];
    });
    return `{ __typename ${parts.join(' ')} }`;
  };

  function queryFor(name: string, field: GraphQLField<unknown, unknown>, given: Args): string {
    const kind = name.split('.')[0]!.toLowerCase();
    const used = field.args.filter((arg) => arg.name in given);
    const declared = used.length > 0 ? `(${used.map((arg) => `$${arg.name}: ${String(arg.type)}`).join(', ')})` : '';
    const passed = used.length > 0 ? `(${used.map((arg) => `${arg.name}: $${arg.name}`).join(', ')})` : '';
    return `${kind} ${declared} { ${field.name}${passed} ${selection(field.type, kind === 'subscription' ? 1 : 2)} }`;
  }

  it('is known here, operation by operation and id by id', () => {
    const elsewhere = Object.values(schema.getTypeMap()).flatMap((type) =>
      isObjectType(type) && !type.name.startsWith('__') ? Object.values(type.getFields()).filter((field) => idArgs(field).length > 0).map((field) => [`${type.name}.${field.name}`, field] as [string, GraphQLField<unknown, unknown>]) : [],
    );
    const fields = new Map([...roots(), ...elsewhere]);
    expect([...fields.keys()].sort()).toEqual(Object.keys(ATTACKS).sort());
    for (const [name, field] of fields) {
      if (name === 'Query.invitation') continue;
      const tried = new Set(ATTACKS[name]!.args(idsOfA, idsOfB).flatMap((each) => pathsOf(each, '')));
      expect(idArgs(field).filter((path) => !tried.has(path)), name).toEqual([]);
    }
  });

  it.each(Object.entries(ATTACKS))('%s', async (name, { args, outcome, query }) => {
    const field = new Map(roots()).get(name);
    for (const credentials of [b.user.cookie, b.key]) {
      for (const given of args(idsOfA, idsOfB)) {
        const text = query ?? queryFor(name, field!, given);
        const answer = name.startsWith('Subscription') ? await subscribe(credentials, text, given) : await graphql(test, credentials, text, given);
        if (outcome === 'refused') {
          expect(['NOT_FOUND', 'FORBIDDEN', 'MODEL_NOT_FOUND', 'BAD_INPUT'], JSON.stringify(answer)).toContain(reasonOf(answer));
          expect(answer.data ?? null).toBeNull();
        } else if (reasonOf(answer) !== 'FORBIDDEN' && reasonOf(answer) !== 'CONFLICT') {
          expect(answer.errors, name).toBeUndefined();
        }
        expectNothingOfA(answer, given);
      }
    }
  });

  describe('by REST', () => {
    interface Layer {
      route?: { path: string | string[] };
    }
    it('is known here, route by route', () => {
      const { stack } = (test.app.getHttpAdapter().getInstance() as { router: { stack: Layer[] } }).router;
      const paths = stack.flatMap(({ route }) => (route ? [route.path].flat() : []));
      expect([...new Set(paths)].sort()).toEqual(Object.keys(ROUTES).sort());
    });

    const attempt = async (path: string, init: RequestInit, sent: unknown): Promise<number[]> => {
      const statuses: number[] = [];
      for (const credentials of [b.user.cookie, b.key]) {
        const response = await fetch(`${test.url}${path}`, { ...init, headers: { ...init.headers, ...credentials } });
        statuses.push(response.status);
        expectNothingOfA([await response.text(), [...response.headers]], sent);
      }
      return statuses;
    };
    const json = (body: object): RequestInit => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

    it.each(['pdf', 'csv', 'json'])('statements as %s', async (format) => {
      expect(await attempt(`/statements/${idsOfA.statement}.${format}`, {}, idsOfA.statement)).toEqual([404, 404]);
    });

    it.each(['csv', 'jsonl'])('the audit log as %s', async (format) => {
      for (const id of ['', idsOfA.adapter, idsOfA.key, idsOfA.member]) {
        expect(await attempt(`/audit-events/events.${format}?resourceId=${id}`, {}, id)).toEqual([200, 403]);
        expect(await attempt(`/audit-events/events.${format}?actorId=${id}`, {}, id)).toEqual([200, 403]);
      }
    });

    it.each(['secret-adapter', 'secret-split'])('/v1 of %s', async (model) => {
      expect(await attempt('/v1/completions', json({ model, prompt: 'x' }), model)).toEqual([401, 404]);
      expect(await attempt('/v1/chat/completions', json({ model, messages: [{ role: 'user', content: 'x' }], stream: true }), model)).toEqual([401, 404]);
      expect(await attempt('/v1/responses', json({ model, input: 'x' }), model)).toEqual([401, 404]);
      for (const path of ['/v1/messages', '/v1/messages/count_tokens']) expect(await attempt(path, json({ model, max_tokens: 1, messages: [{ role: 'user', content: 'x' }] }), model)).toEqual([401, 404]);
      expect(await attempt(`/v1/models/${model}`, {}, model)).toEqual([401, 404]);
      expect(await attempt('/v1/models', {}, '')).toEqual([401, 200]);
    });

    it('batches and their files', async () => {
      const { batch, batchInput, batchOutput } = idsOfA;
      for (const file of [batchInput, batchOutput]) {
        expect(await attempt(`/v1/files/${file}`, {}, file)).toEqual([401, 404]);
        expect(await attempt(`/v1/files/${file}/content`, {}, file)).toEqual([401, 404]);
        expect(await attempt(`/v1/files/${file}`, { method: 'DELETE' }, file)).toEqual([401, 404]);
        expect(await attempt(`/v1/files?after=${file}`, {}, file)).toEqual([401, 404]);
        expect(await attempt(`/batch-files/${file}`, {}, file)).toEqual([404, 404]);
        const asked = { input_file_id: file, endpoint: CHAT, completion_window: '24h' };
        expect(await attempt('/v1/batches', json(asked), file)).toEqual([401, 404]);
      }
      expect(await attempt('/v1/files', {}, '')).toEqual([401, 200]);
      expect(await attempt('/v1/batches', {}, '')).toEqual([401, 200]);
      expect(await attempt(`/v1/batches?after=${batch}`, {}, batch)).toEqual([401, 404]);
      expect(await attempt(`/v1/batches/${batch}`, {}, batch)).toEqual([401, 404]);
      expect(await attempt(`/v1/batches/${batch}/cancel`, json({}), batch)).toEqual([401, 404]);
    });

    it('uploads', async () => {
      const tus = { 'tus-resumable': '1.0.0' };
      const { upload: path, uploading } = idsOfA;
      expect(await attempt(path, { method: 'HEAD', headers: tus }, path)).toEqual([404, 404]);
      expect(await attempt(path, { method: 'DELETE', headers: tus }, path)).toEqual([404, 404]);
      const patch = { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
      expect(await attempt(path, { method: 'PATCH', headers: patch, body: 'x' }, path)).toEqual([404, 404]);
      const metadata = Object.entries({ adapterId: uploading, filename: 'adapter_config.json' }).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`);
      const post = { ...tus, 'upload-length': '10', 'upload-metadata': metadata.join(',') };
      expect(await attempt('/uploads', { method: 'POST', headers: post }, uploading)).toEqual([404, 404]);
    });

    it('members and invitations: every endpoint of organizations, with all ids there are', async () => {
      const { api } = test.app.get<Auth>(AUTH, { strict: false });
      const endpoints = Object.values(api as unknown as Record<string, { path?: string; options?: { method?: string | string[] } }>);
      const ids = { organizationId: a.id, memberId: idsOfA.member, memberIdOrEmail: idsOfA.member, invitationId: idsOfA.invitation, userId: idsOfA.user, id: idsOfA.invitation };
      const tried = endpoints.filter(({ path }) => path?.startsWith('/organization/') && path !== '/organization/create');
      expect(tried.length).toBeGreaterThan(10);
      for (const { path, options } of tried) {
        const method = [options?.method ?? 'POST'].flat()[0]!;
        const body = { ...ids, role: 'owner', email: 'stranger@example.test', data: { name: 'taken' } };
        const url = `/api/auth${path}${method === 'GET' ? `?${new URLSearchParams(ids)}` : ''}`;
        const headers = { 'content-type': 'application/json', origin: ORIGIN };
        const statuses = await attempt(url, { method, headers, ...(method === 'GET' ? {} : { body: JSON.stringify(body) }) }, ids);
        expect(statuses.every((status) => status < 500), `${path}: ${statuses.join()}`).toBe(true);
      }
    });
  });
});
