import { readdirSync } from 'node:fs';
import type { ObjectStore } from '@aril/object-store';
import { LocalHub } from '@aril/local-services/local-hub';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { OBJECT_STORE } from '../src/integrations/object-storage/object-storage.module.js';
import { bringAdapter, createAdapter, example, fixture, tryFinish, upload } from './adapter-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, type TestApp } from './harness.js';
import { beginImport, ended, failing, hasBegun, hold, importAdapter, isRead, large, readsOf, tryImport, until } from './import-fixtures.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

describe('imports from a hub', () => {
  let hub: LocalHub;
  let test: TestApp;
  let shop: Tenant;
  const files = fixture('a');
  const weights = files['adapter_model.safetensors'];

  beforeAll(async () => {
    hub = await LocalHub.start();
    test = await startApp({ HUB_URL: `${hub.url}/`, HUB_RETRY_S: '0,0,0', ADAPTER_BYTES_MAX: '2000000', TENANT_STORAGE_BYTES_MAX: '3000000' });
    shop = await createTenant(test);
    hub.put('acme/plain', { ...files, 'README.md': Buffer.from('# hello'), 'adapter_model.bin': Buffer.from('pickle'), 'evil.py': Buffer.from('boom') });
    hub.put('acme/secret', files, { private: true });
    hub.put('acme/gated', files, { gated: true });
  });
  afterEach(() => {
    hub.intercept = () => false;
    hub.requests = [];
  });
  afterAll(async () => {
    await test.stop();
    await hub.stop();
  });

  it('brings what an upload of the same files brings, and says which commit it was', async () => {
    const commit = hub.repositories.get('acme/plain')?.revisions['main'];
    const begun = await beginImport(test, shop.key, 'plain', 'acme/plain');
    expect(begun).toMatchObject({ slug: 'plain', status: 'UPLOADING', source: { repository: 'acme/plain', revision: 'main', path: '', commit: null } });
    const done = await ended(test, shop.key, begun.id);
    const uploaded = await bringAdapter(test, shop.key, 'uploaded', files);
    const { id: _, slug: __, name: ___, ...content } = uploaded;
    expect(done).toMatchObject({ ...content, importWaitsFor: null, source: { repository: 'acme/plain', revision: 'main', path: '', commit } });
    expect(await test.app.get<ObjectStore>(OBJECT_STORE).head(`adapters/${shop.id}/${done.sha256}/adapter_model.safetensors`)).not.toBeNull();
    expect(readdirSync(test.config.UPLOADS_DIR).filter((name) => name.startsWith(begun.id))).toEqual([]);
    expect(await sql(test, 'SELECT * FROM adapter_imports')).toEqual([]);
    const asked = new Set(hub.requests.filter(({ server }) => server === 'hub').map(({ path }) => path.split('?')[0]));
    expect([...asked]).toEqual([
      '/api/models/acme/plain/revision/main',
      ...['adapter_config.json', 'adapter_model.safetensors'].map((name) => `/acme/plain/resolve/${commit}/${name}`),
    ]);
  });

  it('takes a tag and a folder, and keeps to the commit that it began with', async () => {
    const commit = hub.put('acme/versions', Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`runs/with space/${name}`, bytes])), { revision: 'v1.0' });
    const [held, { id }] = await Promise.all([hold(hub, weights), beginImport(test, shop.key, 'tagged', 'acme/versions', { revision: 'v1.0', path: '/runs/with space/' })]);
    await until(test, shop.key, id, hasBegun);
    hub.put('acme/versions', { 'other.txt': Buffer.from('x') }, { revision: 'v1.0' });
    held.destroy();
    const source = { repository: 'acme/versions', revision: 'v1.0', path: 'runs/with space', commit };
    expect(await ended(test, shop.key, id)).toMatchObject({ status: 'READY', source });
  });

  it.each([
    ['slug', { slug: 'Not A Slug' }],
    ['baseModelId', { baseModelId: 'no-such-model' }],
    ['source.repository', { source: { repository: 'gpt2' } }],
    ['source.repository', { source: { repository: '../../etc/passwd' } }],
    ['source.repository', { source: { repository: 'acme/..' } }],
    ['source.repository', { source: { repository: 'https://huggingface.co/acme/plain' } }],
    ['source.revision', { source: { repository: 'acme/plain', revision: '../main' } }],
    ['source.revision', { source: { repository: 'acme/plain', revision: '' } }],
    ['source.path', { source: { repository: 'acme/plain', path: 'a/../b' } }],
    ['source.path', { source: { repository: 'acme/plain', path: 'a\0b' } }],
    ['token', { token: 'with space' }],
    ['token', { token: 'line\nbreak' }],
  ])('names the field at fault: %s', async (field, wrong) => {
    const { errors } = await tryImport(test, shop.key, { slug: 'wrong', source: { repository: 'acme/plain' }, ...wrong });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(errors?.[0]?.message).toContain('expected');
  });

  describe('says what is wrong', () => {
    const config = files['adapter_config.json'];
    beforeAll(() => {
      hub.put('acme/no-config', { 'adapter_model.safetensors': weights });
      hub.put('acme/no-weights', { 'adapter_config.json': config });
      hub.put('acme/pickle', { 'adapter_config.json': config, 'adapter_model.bin': Buffer.from('pickle') });
      hub.put('acme/empty', { 'adapter_config.json': config, 'adapter_model.safetensors': Buffer.alloc(0) });
      hub.put('acme/long-config', { ...files, 'adapter_config.json': Buffer.alloc(1_100_000, ' ') });
      hub.put('acme/huge', { ...files, 'adapter_model.safetensors': Buffer.alloc(2_000_000) });
      hub.put('acme/other-model', { ...example('pirate') });
    });
    it.each([
      ['hub_repository_not_found', 'acme/none', {}, 'no public model repository "acme/none"'],
      ['hub_repository_not_found', 'acme/secret', {}, 'a token that may read a private one'],
      ['hub_repository_not_found', 'acme/none', { token: 'hf_valid' }, 'that this token may read'],
      ['hub_token_refused', 'acme/secret', { token: 'hf_wrong' }, 'a token that the hub does not know'],
      ['hub_access_refused', 'acme/gated', {}, 'a gated repository'],
      ['hub_revision_not_found', 'acme/plain', { revision: 'v9' }, 'no revision "v9" of acme/plain'],
      ['hub_file_missing', 'acme/no-config', {}, 'adapter_config.json: found no such file'],
      ['hub_file_missing', 'acme/no-weights', {}, 'adapter_model.safetensors: found no such file'],
      ['hub_file_missing', 'acme/plain', { path: 'nowhere' }, 'nowhere/adapter_config.json'],
      ['hub_pickle', 'acme/pickle', {}, 'save_pretrained()'],
      ['hub_empty_file', 'acme/empty', {}, 'an empty file'],
      ['hub_file_too_large', 'acme/long-config', {}, 'at most 1048576'],
      ['payload_too_large', 'acme/huge', {}, 'at most 2000000'],
    ])('%s: %s %o', async (code, repository, more, sentence) => {
      const tenant = await createTenant(test);
      const refused = await importAdapter(test, tenant.key, 'wrong', repository, more);
      expect(refused).toMatchObject({ status: 'REFUSED', sha256: null, problems: [{ code }] });
      expect(refused.problems[0]?.message).toContain(sentence);
      expect(readsOf(hub)).toEqual([]);
      // Nothing stands in the way of trying again.
      expect(await importAdapter(test, tenant.key, 'wrong', 'acme/plain')).toMatchObject({ status: 'READY' });
    });

    it('quota_exceeded, with what is left', async () => {
      const tenant = await createTenant(test);
      await createAdapter(test, tenant.key, 'most', { ...files, 'adapter_model.safetensors': Buffer.alloc(1_990_000) });
      await createAdapter(test, tenant.key, 'nearly-all', { ...files, 'adapter_model.safetensors': Buffer.alloc(1_000_000) });
      const refused = await importAdapter(test, tenant.key, 'one-more', 'acme/plain');
      expect(refused).toMatchObject({ status: 'REFUSED', bytes: 0, problems: [{ code: 'quota_exceeded' }] });
      expect(refused.problems[0]?.message).toMatch(/at most the \d+ that are left of 3000000/);
    });

    it("another model's adapter, as for an upload", async () => {
      const tenant = await createTenant(test);
      const refused = await importAdapter(test, tenant.key, 'pirate', 'acme/other-model');
      expect(refused).toMatchObject({ status: 'REFUSED', source: { repository: 'acme/other-model' } });
      expect(refused.problems.some(({ file, path }) => file === 'adapter_model.safetensors' && /lora_/.test(String(path)))).toBe(true);
    });
  });

  describe('on a bad line', () => {
    const big = large(files);
    const bytes = big['adapter_model.safetensors'];
    beforeAll(() => void hub.put('acme/big', big));

    it('goes on where it broke off', async () => {
      const tenant = await createTenant(test);
      const [held, { id }] = await Promise.all([hold(hub, bytes), beginImport(test, tenant.key, 'cut', 'acme/big')]);
      await until(test, tenant.key, id, hasBegun);
      held.destroy();
      const done = await ended(test, tenant.key, id);
      // Its content was judged, and so was whole.
      expect(done.problems.length).toBeGreaterThan(0);
      expect(done.problems.map(({ code }) => code)).not.toContain('hub_unreachable');
      expect(readsOf(hub)).toEqual([0, expect.any(Number)]);
      expect(readsOf(hub)[1]).toBeGreaterThan(0);
    });

    it.each([
      ['hub', 503],
      ['hub', 429],
      ['files', 500],
      ['files', 403],
    ] as const)('asks the %s again that answers %i', async (server, status) => {
      const tenant = await createTenant(test);
      failing(hub, server, status, 3, { 'retry-after': '0' });
      expect(await importAdapter(test, tenant.key, 'again', 'acme/plain')).toMatchObject({ status: 'READY' });
    });

    it('fails when it has been asked often enough', async () => {
      const tenant = await createTenant(test);
      failing(hub, 'hub', 503, Infinity);
      const failed = await importAdapter(test, tenant.key, 'away', 'acme/plain');
      expect(failed).toMatchObject({ status: 'REFUSED', problems: [{ code: 'hub_unreachable', file: 'acme/plain', found: expect.stringContaining('HTTP 503') as string }] });
      expect(hub.requests).toHaveLength(4);
    });

    it.each([
      ['fewer bytes than announced', (sent: Buffer) => sent.subarray(0, -1)],
      ['more bytes than announced', (sent: Buffer) => Buffer.concat([sent, sent])],
      ['other bytes than announced', (sent: Buffer) => Buffer.alloc(sent.length, 7)],
    ])('takes no %s for the file', async (_, wrong) => {
      const tenant = await createTenant(test);
      let times = 2;
      hub.intercept = (request, response, server) => {
        if (server !== 'files' || !isRead(request.headers.range) || times-- <= 0) return false;
        response.writeHead(200).end(wrong(weights));
        return true;
      };
      const done = await importAdapter(test, tenant.key, 'odd', 'acme/plain');
      expect(done).toMatchObject({ status: 'READY' });
      expect(done.sha256).toBe((await bringAdapter(test, tenant.key, 'even', files)).sha256);
    });

    it('shows how much has come, and ends when its adapter is deleted', async () => {
      const tenant = await createTenant(test);
      const [, { id }] = await Promise.all([hold(hub, bytes), beginImport(test, tenant.key, 'slow', 'acme/big')]);
      const half = await until(test, tenant.key, id, hasBegun);
      expect(half).toMatchObject({ status: 'UPLOADING', bytes: bytes.length + big['adapter_config.json'].length, files: [{}, { bytes: bytes.length }] });
      expect(half.files[1]!.received).toBeLessThan(bytes.length);
      const { errors } = await tryImport(test, tenant.key, { slug: 'slow', source: { repository: 'acme/plain' } });
      expect(errors?.[0]).toMatchObject({ message: expect.stringContaining(`the import of "slow" is not finished; wait for it (adapter ${id})`) as string, extensions: { code: 'CONFLICT', field: 'slug' } });
      await data(graphql(test, tenant.key, `mutation { deleteAdapter(input: { adapterId: "${id}" }) { adapterId } }`));
      expect(await sql(test, 'SELECT * FROM adapter_imports WHERE tenant_id = $1', [tenant.id])).toEqual([]);
      await vi.waitFor(() => expect(readdirSync(test.config.UPLOADS_DIR).filter((name) => name.startsWith(id))).toEqual([]), { timeout: 20_000 });
      expect(await importAdapter(test, tenant.key, 'slow', 'acme/plain')).toMatchObject({ status: 'READY' });
    });
  });

  it('is UNAUTHENTICATED without credentials and FORBIDDEN for a key that brings no adapters', async () => {
    const input = { slug: 'mine', source: { repository: 'acme/plain' } };
    expect((await tryImport(test, {}, input)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const made = await data(graphql<{ createApiKey: { secret: string } }>(test, shop.user.cookie, 'mutation { createApiKey(input: { name: "reader", permissions: [ADAPTERS_READ] }) { secret } }'));
    expect((await tryImport(test, { authorization: `Bearer ${made.createApiKey.secret}` }, input)).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  it('takes no uploads into what it brings, and finishes it itself', async () => {
    const tenant = await createTenant(test);
    failing(hub, 'hub', 503, Infinity, { 'retry-after': '600' });
    const { id } = await beginImport(test, tenant.key, 'mixed', 'acme/plain');
    await until(test, tenant.key, id, ({ importWaitsFor }) => importWaitsFor !== null);
    await expect(upload(test, tenant.key, id, 'adapter_model.safetensors', weights)).rejects.toThrow('being imported');
    expect((await tryFinish(test, tenant.key, id)).errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', field: 'adapterId' });
  });

  it('keeps a tenant from filling the queue', async () => {
    const tenant = await createTenant(test);
    failing(hub, 'hub', 503, Infinity, { 'retry-after': '600' });
    const answers = await Promise.all(Array.from({ length: 14 }, (_, i) => tryImport(test, tenant.key, { slug: `many-${i}`, source: { repository: 'acme/plain' } })));
    const refused = answers.flatMap(({ errors }) => errors?.[0]?.extensions.code ?? []);
    expect(refused).toEqual(Array<string>(4).fill('RATE_LIMITED'));
    hub.intercept = () => false;
    expect(await importAdapter(test, shop.key, 'unhindered', 'acme/plain')).toMatchObject({ status: 'READY' });
  });

  it('records who began it, and how it ended', async () => {
    const tenant = await createTenant(test);
    const { id, source } = await importAdapter(test, tenant.key, 'recorded', 'acme/plain', { token: 'hf_valid' });
    const rows = await sql<{ action: string; actor_type: string; changes: { field: string; after: unknown }[] }>(test, 'SELECT action, actor_type, changes FROM audit_events WHERE resource_id = $1 ORDER BY created_at', [id]);
    expect(rows.map(({ action, actor_type }) => [action, actor_type])).toEqual([['adapter.create', 'API_KEY'], ['adapter.finishImport', 'SYSTEM']]);
    expect(rows[0]?.changes).toContainEqual({ field: 'repository', before: null, after: 'acme/plain' });
    expect(rows[1]?.changes).toContainEqual({ field: 'commit', before: null, after: source?.commit });
  });
});

it('imports are off without a hub', async () => {
  const test = await startApp({ HUB_URL: '' });
  const { key } = await createTenant(test);
  expect(await data(graphql(test, key, '{ hubUrl }'))).toEqual({ hubUrl: null });
  const { errors } = await tryImport(test, key, { slug: 'off', source: { repository: 'acme/plain' } });
  expect(errors?.[0]).toMatchObject({ message: expect.stringContaining('HUB_URL') as string, extensions: { code: 'FORBIDDEN' } });
  await test.stop();
});
