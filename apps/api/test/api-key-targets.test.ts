/** API keys that are held to certain targets: what they are not held to does not exist for them, whichever door they come to. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { newest } from './audit-fixtures.js';
import { createDeployment, deleteDeployment } from './deployment-fixtures.js';
import { all, overSse } from './event-followers.js';
import { find, generate, reasonOf, tryCancel, tryFind, tryGenerate, tryStart } from './generation-fixtures.js';
import { createTenant, type Credentials, data, graphql, type GraphqlAnswer, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { ScriptedRunner } from './scripted-runner.js';

interface Target {
  id: string;
  kind: string;
  target: string;
}
interface Key {
  id: string;
  targets: Target[] | null;
}
type Created = { createApiKey: { secret: string; apiKey: Key } };
type Updated = { updateApiKeyTargets: { apiKey: Key } };

describe('API keys held to certain targets', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let shop: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  let ids: Record<'mine' | 'theirs' | 'split' | 'wide', string>;
  beforeAll(async () => {
    test = await startApp();
    [shop, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    const { id: mine } = await bringAdapter(test, shop.key, 'mine', fixture('a'));
    const { id: theirs } = await bringAdapter(test, shop.key, 'theirs', fixture('b'));
    const { id: split } = await createDeployment(test, shop.key, { slug: 'split', variants: [{ target: 'theirs', weight: 1 }] });
    const { id: wide } = await createDeployment(test, shop.key, { slug: 'wide', variants: [{ target: 'mine', weight: 1 }] });
    ids = { mine, theirs, split, wide };
    await bringAdapter(test, other.key, 'foreign', fixture('a'));
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const tryCreate = (input: object): Promise<GraphqlAnswer<Created>> =>
    graphql(test, shop.user.cookie, 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id targets { id kind target } } } }', { input: { name: 'held', ...input } });
  async function held(targets: string[] | null, permissions?: string[]): Promise<Key & { key: Credentials & { authorization: string } }> {
    const { secret, apiKey } = (await data(tryCreate({ targets, permissions }))).createApiKey;
    return { ...apiKey, key: { authorization: `Bearer ${secret}` } };
  }
  const tryChange = (apiKeyId: string, change: object, credentials: Credentials = shop.user.cookie): Promise<GraphqlAnswer<Updated>> =>
    graphql(test, credentials, 'mutation ($input: UpdateApiKeyTargetsInput!) { updateApiKeyTargets(input: $input) { apiKey { id targets { id kind target } } } }', { input: { apiKeyId, ...change } });
  const models = async (key: Credentials & { authorization: string }): Promise<string[]> => (await openaiClient(test, key).models.list()).data.map(({ id }) => id);
  async function chat(key: Credentials, model: string, init: { path?: string; headers?: Record<string, string> } = {}): Promise<{ status: number; error: unknown }> {
    const { path = '/v1/chat/completions', headers = {} } = init;
    const body = path.endsWith('responses') ? { input: 'x' } : path.endsWith('/completions') && !path.includes('chat') ? { prompt: 'x' } : { messages: [{ role: 'user', content: 'x' }] };
    const response = await fetch(`${test.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers, ...key }, body: JSON.stringify({ model, ...body }) });
    return { status: response.status, error: ((await response.json()) as { error?: unknown }).error ?? null };
  }

  it('are made so by name, told by id, kind and name, and are in the audit log', async () => {
    const { id, targets } = await held(['mine', 'split', TEST_MODEL, 'mine']);
    expect(targets).toEqual([
      { id: ids.mine, kind: 'ADAPTER', target: 'mine' },
      { id: ids.split, kind: 'DEPLOYMENT', target: 'split' },
      { id: TEST_MODEL, kind: 'BASE_MODEL', target: TEST_MODEL },
    ]);
    const { resource, changes } = await newest(test, shop.user.cookie, 'apiKey.create');
    expect(resource.id).toBe(id);
    expect(changes).toContainEqual({ field: 'targets', before: null, after: ['mine', 'split', TEST_MODEL] });
    expect((await held(null)).targets).toBeNull();
    expect((await data(tryCreate({}))).createApiKey.apiKey.targets).toBeNull();
  });

  it.each([
    [['nothing-such'], 'targets.0', 'found "nothing-such", expected the slug of an adapter or a deployment, or the id of a base model'],
    [['mine', 'foreign'], 'targets.1', 'found "foreign"'],
    [[], 'targets', 'expected at least one; for all targets, null'],
  ])('are not made with %j', async (targets, field, message) => {
    const { errors } = await tryCreate({ targets });
    expect(errors?.[0]).toMatchObject({ message: expect.stringContaining(`${field}: ${message}`) as string, extensions: { reason: 'BAD_INPUT', field } });
  });

  it.each(['/v1/chat/completions', '/v1/completions', '/v1/responses'])('get from %s the error of one that does not exist', async (path) => {
    const { key } = await held(['mine']);
    const missing = await chat(key, 'nothing-such', { path });
    expect(missing).toMatchObject({ status: 404, error: { code: 'model_not_found', param: 'model' } });
    for (const target of ['theirs', 'split', TEST_MODEL]) {
      expect(JSON.stringify(await chat(key, target, { path }))).toBe(JSON.stringify(missing).replaceAll('nothing-such', target));
    }
    expect((await chat(key, 'mine', { path })).status).toBe(200);
  });

  it('see in /v1/models what they may name', async () => {
    const { key } = await held(['mine', 'split']);
    expect(await models(key)).toEqual(['mine', 'split']);
    expect((await models(shop.key)).sort()).toEqual([TEST_MODEL, 'mine', 'theirs', 'split', 'wide'].sort());
    const get = (id: string) => fetch(`${test.url}/v1/models/${id}`, { headers: key });
    expect((await get('mine')).status).toBe(200);
    const [missing, hidden] = await Promise.all(['nothing-such', 'theirs'].map(async (id) => (await get(id)).text()));
    expect(hidden).toBe(missing!.replace('nothing-such', 'theirs'));
  });

  it('have a deployment with its variants, and not those themselves', async () => {
    const { key } = await held(['split']);
    expect(await generate(test, key, { target: 'split' })).toMatchObject({ deploymentId: ids.split, variant: 'theirs' });
    expect(reasonOf(await tryGenerate(test, key, { target: 'theirs' }))).toBe('MODEL_NOT_FOUND');
    const { key: adapterAlone } = await held(['mine']);
    expect(reasonOf(await tryStart(test, adapterAlone, { target: 'wide' }))).toBe('MODEL_NOT_FOUND');
  });

  it('neither see, follow, cancel nor take up again what was asked of another target', async () => {
    const { key } = await held(['mine']);
    const [visible, hidden] = [await generate(test, shop.key, { target: 'mine' }), await generate(test, shop.key, { target: 'theirs', idempotencyKey: 'theirs-1' })];
    const throughDeployment = await generate(test, shop.key, { target: 'wide' });
    expect(await find(test, key, visible.id)).toEqual(visible);
    for (const { id } of [hidden, throughDeployment]) {
      expect(reasonOf(await tryFind(test, key, id))).toBe('NOT_FOUND');
      expect(reasonOf(await tryCancel(test, key, id))).toBe('NOT_FOUND');
      await expect(all(overSse(test, key, id))).rejects.toThrow('NOT_FOUND');
    }
    expect(reasonOf(await tryGenerate(test, key, { target: 'theirs', idempotencyKey: 'theirs-1' }))).toBe('MODEL_NOT_FOUND');
  });

  it('see of adapters, deployments and usage what is theirs', async () => {
    const { key } = await held(['mine', 'wide']);
    for (const target of ['mine', 'theirs', 'split', 'wide', TEST_MODEL]) await generate(test, shop.key, { target });
    type Look = { tenant: { adapters: { totalCount: number; nodes: { slug: string }[] }; deployments: { totalCount: number; nodes: { slug: string }[] }; usage: { groups: { target: string; requests: number }[]; rows: { target: string }[]; totals: { requests: number } } } };
    const query = `query ($input: UsageInput!) { tenant { adapters { totalCount nodes { slug } } deployments { totalCount nodes { slug } }
      usage(input: $input) { groups { target requests } rows { target } totals { requests } } } }`;
    const input = { from: new Date(Date.now() - 86_400_000), to: new Date(Date.now() + 86_400_000), groupBy: ['TARGET'] };
    const { tenant } = await data(graphql<Look>(test, key, query, { input }));
    expect(tenant.adapters).toEqual({ totalCount: 1, nodes: [{ slug: 'mine' }] });
    expect(tenant.deployments).toEqual({ totalCount: 1, nodes: [{ slug: 'wide' }] });
    expect(tenant.usage.groups.map(({ target }) => target).sort()).toEqual(['mine', 'wide']);
    expect(new Set(tenant.usage.rows.map(({ target }) => target))).toEqual(new Set(['mine', 'wide']));
    expect(tenant.usage.totals.requests).toBe(tenant.usage.groups.reduce((sum, { requests }) => sum + requests, 0));
    const { tenant: whole } = await data(graphql<Look>(test, shop.key, query, { input }));
    expect(whole.usage.groups.map(({ target }) => target).sort()).toEqual(['mine', 'split', TEST_MODEL, 'theirs', 'wide'].sort());
  });

  it('get from `adapter` and `deployment` the error of one that does not exist', async () => {
    const { key } = await held(['mine', 'wide']);
    const look = (field: string, id: string) => graphql<Record<string, { slug: string }>>(test, key, `query ($id: ID!) { ${field}(id: $id) { slug } }`, { id });
    for (const [field, own, foreign] of [['adapter', ids.mine, ids.theirs], ['deployment', ids.wide, ids.split]] as const) {
      expect((await look(field, own)).data?.[field]?.slug).toBeTruthy();
      const [missing, hidden] = [await look(field, '00000000-0000-4000-8000-000000000000'), await look(field, foreign)];
      expect([hidden.errors?.[0]?.message, reasonOf(hidden)]).toEqual([missing.errors?.[0]?.message, reasonOf(missing)]);
    }
  });

  it('change no adapters and deployments, and see no statements, which are about all targets', async () => {
    const { key } = await held(['mine', 'wide']);
    const asked = [
      `mutation { createAdapter(input: { slug: "new", baseModelId: "${TEST_MODEL}", files: [] }) { adapter { id } } }`,
      `mutation { updateAdapter(input: { adapterId: "${ids.mine}", name: "x" }) { adapter { id } } }`,
      `mutation { deleteAdapter(input: { adapterId: "${ids.theirs}" }) { adapterId } }`,
      `mutation { createDeployment(input: { slug: "new", baseModelId: "${TEST_MODEL}", variants: [] }) { deployment { id } } }`,
      `mutation { deleteDeployment(input: { deploymentId: "${ids.wide}" }) { deploymentId } }`,
      '{ tenant { openStatements { month } } }',
      '{ tenant { statements { totalCount } } }',
      '{ statement(id: "2026-10") { month } }',
    ];
    for (const query of asked) {
      const answer = await graphql(test, key, query);
      expect([reasonOf(answer), answer.errors?.[0]?.message], query).toEqual(['FORBIDDEN', expect.stringContaining('held to certain targets')]);
    }
    expect((await fetch(`${test.url}/statements/2026-10.csv`, { headers: key })).status).toBe(403);
    expect((await fetch(`${test.url}/uploads/x`, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0', ...key } })).status).toBe(403);
  });

  it('are changed from the next request on, by people who manage keys, and the audit log says how', async () => {
    const { id, key } = await held(['mine']);
    expect((await tryChange(id, { targets: ['theirs', 'mine'] })).data?.updateApiKeyTargets.apiKey.targets?.map(({ target }) => target)).toEqual(['theirs', 'mine']);
    expect((await chat(key, 'theirs')).status).toBe(200);
    expect((await newest(test, shop.user.cookie, 'apiKey.updateTargets')).changes).toEqual([{ field: 'targets', before: ['mine'], after: ['theirs', 'mine'] }]);
    expect((await tryChange(id, { targets: null })).data?.updateApiKeyTargets.apiKey.targets).toBeNull();
    expect((await newest(test, shop.user.cookie, 'apiKey.updateTargets')).changes).toEqual([{ field: 'targets', before: ['theirs', 'mine'], after: 'all' }]);
    expect((await chat(key, 'split')).status).toBe(200);
    expect((await tryChange(id, { targets: ['mine'] })).errors).toBeUndefined();
    expect((await chat(key, 'split')).status).toBe(404);
    for (const change of [{}, { targets: [] }]) expect((await tryChange(id, change)).errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field: 'targets' });
    expect(reasonOf(await tryChange(id, { targets: ['foreign'] }))).toBe('BAD_INPUT');
    expect(reasonOf(await tryChange(id, { targets: null }, key))).toBe('FORBIDDEN');
    expect(reasonOf(await tryChange(id, { targets: null }, other.user.cookie))).toBe('NOT_FOUND');
    expect((await chat(key, 'split')).status).toBe(404);
  });

  it('stay what they are when the key is rotated, for both of its secrets', async () => {
    const { id, key } = await held(['mine']);
    const query = 'mutation ($id: ID!) { rotateApiKey(input: { apiKeyId: $id }) { secret apiKey { targets { target } } } }';
    const { rotateApiKey } = await data(graphql<{ rotateApiKey: { secret: string; apiKey: { targets: { target: string }[] } } }>(test, shop.user.cookie, query, { id }));
    expect(rotateApiKey.apiKey.targets).toEqual([{ target: 'mine' }]);
    for (const one of [key, { authorization: `Bearer ${rotateApiKey.secret}` }]) expect(await models(one)).toEqual(['mine']);
  });

  it('have nothing when all of it is deleted, also when another takes the name', async () => {
    const { id: deploymentId } = await createDeployment(test, shop.key, { slug: 'passing' });
    const { id, key } = await held(['passing']);
    await deleteDeployment(test, shop.key, deploymentId);
    await createDeployment(test, shop.key, { slug: 'passing' });
    expect([(await chat(key, 'passing')).status, (await chat(key, 'mine')).status, await models(key)]).toEqual([404, 404, []]);
    const { tenant } = await data(graphql<{ tenant: { apiKeys: Key[] } }>(test, shop.user.cookie, '{ tenant { apiKeys { id targets { target } } } }'));
    expect(tenant.apiKeys.find((one) => one.id === id)?.targets).toEqual([]);
    expect((await tryChange(id, { targets: ['mine'] })).errors).toBeUndefined();
    expect((await newest(test, shop.user.cookie, 'apiKey.updateTargets')).changes).toEqual([{ field: 'targets', before: ['passing'], after: ['mine'] }]);
  });

  it('are unknown to an API of before, which would let them do everything', async () => {
    const { id } = await held(['mine']);
    const hashes = async (keyId: string, settings: string): Promise<number> => {
      const owner = new pg.Client({ connectionString: test.ownerUrl });
      const api = new pg.Client({ connectionString: test.config.DATABASE_URL });
      await Promise.all([owner.connect(), api.connect()]);
      try {
        const { rows } = await owner.query<{ key_hash: string }>('SELECT key_hash FROM api_keys WHERE id = $1', [keyId]);
        await api.query('BEGIN');
        await api.query("SELECT set_config('app.api_key_hash', $1, true)", [rows[0]!.key_hash]);
        await api.query(settings);
        return (await api.query('SELECT id FROM api_keys')).rowCount ?? 0;
      } finally {
        await Promise.all([owner.end(), api.end()]);
      }
    };
    const free = await held(null);
    expect([await hashes(id, 'SELECT 1'), await hashes(free.id, 'SELECT 1')]).toEqual([0, 1]);
    expect(await hashes(id, "SELECT set_config('app.api_key_targets', 'known', true)")).toBe(1);
  });
});
