import type { ObjectStore } from '@aril/object-store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { ADAPTER_FIELDS, type AdapterAnswer, bringAdapter, createAdapter, example, finishAdapter, fixture, upload } from './adapter-fixtures.js';
import { sql } from './generation-fixtures.js';
import { OBJECT_STORE } from '../src/integrations/object-storage/object-storage.module.js';
import { createTenant, data, graphql, startApp, type TestApp, TEST_MODEL } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

const CREATE = 'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { uploadUrl adapter { id } } }';
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
const input = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  input: {
    slug: 'valid-slug',
    baseModelId: TEST_MODEL,
    files: [
      { name: 'adapter_config.json', bytes: 100 },
      { name: 'adapter_model.safetensors', bytes: 1000 },
    ],
    ...more,
  },
});

describe('adapters', () => {
  let test: TestApp;
  let shop: Tenant;
  let other: Tenant;

  beforeAll(async () => {
    test = await startApp({ ADAPTER_BYTES_MAX: '2000000', TENANT_STORAGE_BYTES_MAX: '3000000' });
    shop = await createTenant(test);
    other = await createTenant(test);
  });
  afterAll(() => test.stop());
  const objects = (): ObjectStore => test.app.get<ObjectStore>(OBJECT_STORE);

  describe('createAdapter', () => {
    it.each([
      ['slug', { slug: 'Not A Slug' }],
      ['slug', { slug: 'x' }],
      ['slug', { slug: '-leading-dash' }],
      ['baseModelId', { baseModelId: 'no-such-model' }],
      ['files', { files: [{ name: 'adapter_config.json', bytes: 10 }] }],
      ['files.0.name', { files: [{ name: 'evil.exe', bytes: 10 }, { name: 'adapter_model.safetensors', bytes: 10 }] }],
      ['files.1.bytes', { files: [{ name: 'adapter_config.json', bytes: 10 }, { name: 'adapter_model.safetensors', bytes: 0 }] }],
      ['files.1.bytes', { files: [{ name: 'adapter_config.json', bytes: 10 }, { name: 'adapter_model.safetensors', bytes: 1.5 }] }],
      ['files', { files: [{ name: 'adapter_config.json', bytes: 2_000_000 }, { name: 'adapter_model.safetensors', bytes: 10 }] }],
      ['files', { files: [{ name: 'adapter_config.json', bytes: 10 }, { name: 'adapter_model.safetensors', bytes: 2_000_000 }] }],
      ['name', { name: 'x'.repeat(121) }],
      ['name', { name: 'a\0b' }],
      ['description', { description: 'a\0b' }],
      ['baseModelId', { baseModelId: 'a\0b' }],
    ])('names the field at fault: %s', async (field, wrong) => {
      const { errors } = await graphql(test, shop.key, CREATE, input(wrong));
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
      expect(errors?.[0]?.message).toContain('expected');
    });

    it('names the search that no text can match', async () => {
      const { errors } = await graphql(test, shop.key, '{ tenant { adapters(search: "a\\u0000b") { totalCount } } }');
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'search' });
    });

    it('makes an adapter that waits for its files', async () => {
      const adapter = await createAdapter(test, shop.key, 'waiting', fixture('a'));
      expect(adapter).toMatchObject({ slug: 'waiting', name: 'waiting', status: 'UPLOADING', sha256: null, problems: [], summary: null });
      expect(adapter.files.map((file) => file.received)).toEqual([0, 0]);
    });

    it('is UNAUTHENTICATED without credentials', async () => {
      const { errors } = await graphql(test, {}, CREATE, input());
      expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    });

    it('keeps slugs per tenant: the same one is free for another', async () => {
      await createAdapter(test, other.key, 'waiting', fixture('a'));
    });

    it.each(['UPLOADING', 'READY'] as const)('refuses the slug of an adapter that is %s, which stays as it is', async (status) => {
      const slug = `taken-${status.toLowerCase()}`;
      const first = status === 'READY' ? await bringAdapter(test, shop.key, slug, fixture('a')) : await createAdapter(test, shop.key, slug, fixture('a'));
      const { errors } = await graphql(test, shop.key, CREATE, input({ slug }));
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', field: 'slug' });
      const { adapter } = await data(graphql<{ adapter: object }>(test, shop.key, `{ adapter(id: "${first.id}") { status } }`));
      expect(adapter).toEqual({ status });
    });

    it('names the unfinished adapter, which can then be continued', async () => {
      const files = fixture('a');
      const first = await createAdapter(test, shop.key, 'half-way', files);
      await upload(test, shop.key, first.id, 'adapter_config.json', files['adapter_config.json']);
      const { errors } = await graphql(test, shop.key, CREATE, input({ slug: 'half-way' }));
      expect(errors?.[0]?.message).toContain(first.id);
      await upload(test, shop.key, first.id, 'adapter_model.safetensors', files['adapter_model.safetensors']);
      expect((await finishAdapter(test, shop.key, first.id)).status).toBe('READY');
    });

    it('lets one of many who ask for a slug at once have it', async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => graphql(test, shop.key, CREATE, input({ slug: 'contested' }))));
      expect(answers.flatMap(({ errors }) => errors?.[0]?.extensions.code ?? 'made').sort()).toEqual([...Array<string>(4).fill('CONFLICT'), 'made']);
    });

    it('refuses what does not fit into the quota, also when many try at once', async () => {
      const tenant = await createTenant(test);
      const files = [{ name: 'adapter_config.json', bytes: 10 }, { name: 'adapter_model.safetensors', bytes: 999_990 }];
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) => graphql(test, tenant.key, CREATE, input({ slug: `quota-${i}`, files }))),
      );
      const refused = answers.filter((answer) => answer.errors);
      expect(refused).toHaveLength(3);
      for (const { errors } of refused) expect(errors?.[0]?.extensions.code).toBe('QUOTA_EXCEEDED');
      const { tenant: found } = await data(graphql<{ tenant: { storage: object } }>(test, tenant.key, '{ tenant { storage { bytesUsed bytesMax } } }'));
      expect(found.storage).toEqual({ bytesUsed: 3_000_000, bytesMax: 3_000_000 });
    });
  });

  describe('finishAdapterUpload', () => {
    it('makes sound files READY, with their hashes, objects and summary', async () => {
      const files = fixture('a');
      const adapter = await bringAdapter(test, shop.key, 'sound', files);
      expect(adapter).toMatchObject({ status: 'READY', problems: [] });
      expect(adapter.summary?.rankMax).toBeGreaterThan(0);
      const [config, weights] = [sha256(files['adapter_config.json']), sha256(files['adapter_model.safetensors'])];
      expect(adapter.files.map((file) => file.sha256)).toEqual([config, weights]);
      expect(adapter.sha256).toBe(sha256(`adapter_config.json:${config}\nadapter_model.safetensors:${weights}\n`));
      const object = await objects().head(`adapters/${shop.id}/${adapter.sha256}/adapter_model.safetensors`);
      expect(object).toMatchObject({ bytes: files['adapter_model.safetensors'].length, sha256: weights });
      expect(readdirSync(test.config.UPLOADS_DIR).filter((name) => name.startsWith(adapter.id))).toEqual([]);
    });

    it('refuses broken files with problems, removes them, and lets the slug be tried again', async () => {
      const sound = fixture('b');
      const config = JSON.parse(sound['adapter_config.json'].toString()) as Record<string, unknown>;
      const broken = { ...sound, 'adapter_config.json': Buffer.from(JSON.stringify({ ...config, r: 100_000 })) };
      const refused = await bringAdapter(test, shop.key, 'second-try', broken);
      expect(refused).toMatchObject({ status: 'REFUSED', sha256: null });
      expect(refused.problems[0]).toMatchObject({ file: 'adapter_config.json', found: expect.any(String), expected: expect.any(String) });
      expect(readdirSync(test.config.UPLOADS_DIR).filter((name) => name.startsWith(refused.id))).toEqual([]);
      expect(await bringAdapter(test, shop.key, 'second-try', sound)).toMatchObject({ status: 'READY' });
    });

    it.each([
      ['not JSON', { 'adapter_config.json': Buffer.from('{"r": ') }],
      ['a cut weights file', { 'adapter_model.safetensors': fixture('a')['adapter_model.safetensors'].subarray(0, 64) }],
      ['weights that are noise', { 'adapter_model.safetensors': Buffer.alloc(4096, 0xff) }],
    ])('refuses %s', async (_, wrong) => {
      const tenant = await createTenant(test);
      const refused = await bringAdapter(test, tenant.key, 'broken', { ...fixture('a'), ...wrong });
      expect(refused.status).toBe('REFUSED');
      expect(refused.problems.length).toBeGreaterThan(0);
    });

    it("refuses another model's adapter, naming file, tensor, what was found and what was expected", async () => {
      const tenant = await createTenant(test);
      const refused = await bringAdapter(test, tenant.key, 'pirate', example('pirate'));
      expect(refused.status).toBe('REFUSED');
      const problem = refused.problems.find((one) => one.file === 'adapter_model.safetensors');
      expect(problem?.path).toMatch(/lora_[AB]/);
      for (const text of [problem?.code, problem?.found, problem?.expected, problem?.message]) expect(text).toBeTruthy();
    });

    it('says which file is missing bytes', async () => {
      const files = fixture('a');
      const { id } = await createAdapter(test, shop.key, 'half', files);
      await upload(test, shop.key, id, 'adapter_config.json', files['adapter_config.json']);
      const { errors } = await graphql(test, shop.key, `mutation { finishAdapterUpload(input: { adapterId: "${id}" }) { adapter { id } } }`);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'ADAPTER_NOT_READY', field: 'adapter_model.safetensors' });
    });

    it('gives one answer to many calls at once, and to later ones', async () => {
      const files = fixture('b');
      const { id } = await createAdapter(test, shop.key, 'crowd', files);
      for (const [name, bytes] of Object.entries(files)) await upload(test, shop.key, id, name, bytes);
      const answers = await Promise.all(Array.from({ length: 8 }, () => finishAdapter(test, shop.key, id)));
      answers.push(await finishAdapter(test, shop.key, id));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]?.status).toBe('READY');
    });

    it.each(['finishAdapterUpload', 'updateAdapter', 'deleteAdapter'])('%s: UNAUTHENTICATED without credentials, NOT_FOUND for another tenant', async (mutation) => {
      const mine = await createAdapter(test, shop.key, `private-${mutation.toLowerCase()}`, fixture('a'));
      const selection = mutation === 'deleteAdapter' ? 'adapterId' : 'adapter { id }';
      const query = `mutation { ${mutation}(input: { adapterId: "${mine.id}" }) { ${selection} } }`;
      expect((await graphql(test, {}, query)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
      expect((await graphql(test, other.key, query)).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
      expect((await graphql(test, other.user.cookie, query)).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
      expect((await graphql(test, shop.key, query.replace(mine.id, 'not-an-id'))).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    });
  });

  describe('adapter and tenant.adapters', () => {
    it('finds the tenant own ones only', async () => {
      const mine = await createAdapter(test, shop.key, 'mine', fixture('a'));
      const query = `{ adapter(id: "${mine.id}") { slug baseModel { id name runnersOnline } } }`;
      const { adapter } = await data(graphql<{ adapter: object }>(test, shop.user.cookie, query));
      expect(adapter).toEqual({ slug: 'mine', baseModel: { id: TEST_MODEL, name: 'Stories 260K', runnersOnline: 0 } });
      expect((await graphql(test, other.key, query)).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
      expect((await graphql(test, {}, query)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    });

    it('pages through all of them once, while others come and go', async () => {
      const tenant = await createTenant(test);
      const slugs = ['one', 'two', 'three', 'four', 'five'];
      for (const slug of slugs) await createAdapter(test, tenant.key, slug, fixture('a'));
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page: Page = await adaptersPage(tenant, { first: 2, after });
        expect(page.totalCount).toBeGreaterThanOrEqual(5);
        expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
        seen.push(...page.nodes.map((node) => node.slug));
        expect(page.edges.map((edge) => edge.node.slug)).toEqual(page.nodes.map((node) => node.slug));
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
        // Newer rows belong before the first page: they must not shift the next one.
        if (seen.length === 2) await createAdapter(test, tenant.key, 'newer', fixture('a'));
      } while (after);
      expect(seen).toEqual([...slugs].reverse());
    });

    it('filters by status and text, and checks its arguments', async () => {
      const tenant = await createTenant(test);
      await createAdapter(test, tenant.key, 'sql-writer', fixture('a'));
      await bringAdapter(test, tenant.key, 'poet', fixture('a'));
      expect((await adaptersPage(tenant, { status: 'READY' })).nodes.map((node) => node.slug)).toEqual(['poet']);
      expect((await adaptersPage(tenant, { search: 'SQL' })).nodes.map((node) => node.slug)).toEqual(['sql-writer']);
      for (const wrong of ['first: 0', 'first: 101', 'after: "nonsense"']) {
        const { errors } = await graphql(test, tenant.key, `{ tenant { adapters(${wrong}) { totalCount } } }`);
        expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: wrong.split(':')[0] });
      }
      expect((await adaptersPage(other, { search: 'poet' })).totalCount).toBe(0);
    });
  });

  it('searches for text, not for a pattern', async () => {
    const tenant = await createTenant(test);
    await createAdapter(test, tenant.key, 'plain', fixture('a'));
    const { id: adapterId } = await createAdapter(test, tenant.key, 'special', fixture('a'));
    const rename = 'mutation ($input: UpdateAdapterInput!) { updateAdapter(input: $input) { adapter { id } } }';
    await data(graphql(test, tenant.key, rename, { input: { adapterId, name: '100% of_it \\ more' } }));
    for (const search of ['%', '_', '\\', '0% OF_', '_it \\ ']) {
      expect([search, (await adaptersPage(tenant, { search })).nodes.map((node) => node.slug)]).toEqual([search, ['special']]);
    }
    for (const search of ['%%', 'p%n', 'plai_', '\\%']) expect((await adaptersPage(tenant, { search })).totalCount).toBe(0);
  });

  describe('in an order of choice', () => {
    const USED = { ash: '2026-03-01', birch: null, cedar: '2026-01-01', dogwood: '2026-03-01', elm: null };
    let tenant: Tenant;
    beforeAll(async () => {
      tenant = await createTenant(test);
      // Names run against the order of creation.
      for (const [index, [slug, usedAt]] of Object.entries(USED).entries()) {
        const { id } = await createAdapter(test, tenant.key, slug, fixture('a'));
        await sql(test, 'UPDATE adapters SET name = $2, last_used_at = $3 WHERE id = $1', [id, `name ${9 - index}`, usedAt]);
      }
    });

    async function slugs(orderBy: object, between: () => Promise<unknown> = async () => undefined): Promise<string[]> {
      const seen: string[] = [];
      for (let after: string | null = null, more = true; more; await between()) {
        const page: Page = await adaptersPage(tenant, { first: 2, after, orderBy });
        seen.push(...page.nodes.map((node) => node.slug));
        after = page.pageInfo.endCursor;
        more = page.pageInfo.hasNextPage;
      }
      return seen;
    }

    const inOrder = ['ash', 'birch', 'cedar', 'dogwood', 'elm'];
    it.each([
      ['NAME', 'ASC', inOrder.toReversed()],
      ['NAME', 'DESC', inOrder],
      ['CREATED_AT', 'ASC', inOrder],
      ['CREATED_AT', 'DESC', inOrder.toReversed()],
      ['LAST_USED_AT', 'ASC', ['cedar', 'ash', 'dogwood', 'birch', 'elm']],
      ['LAST_USED_AT', 'DESC', ['dogwood', 'ash', 'cedar', 'elm', 'birch']],
    ])('%s %s goes through all pages', async (field, direction, expected) => {
      expect(await slugs({ field, direction })).toEqual(expected);
    });

    it('keeps its place while rows come before it and go', async () => {
      let name = 0;
      const come = () => createAdapter(test, tenant.key, `a${name++}-early`, fixture('a'));
      const seen = await slugs({ field: 'LAST_USED_AT', direction: 'DESC' }, come);
      expect(seen.filter((slug) => inOrder.includes(slug))).toEqual(['dogwood', 'ash', 'cedar', 'elm', 'birch']);
      await sql(test, "UPDATE adapters SET deleted_at = now() WHERE tenant_id = $1 AND slug LIKE '%-early'", [tenant.id]);
    });

    it.each(['NAME', 'LAST_USED_AT'])('refuses a cursor of another order: %s', async (field) => {
      const { pageInfo } = await adaptersPage(tenant, { first: 1 });
      const query = 'query ($after: String, $orderBy: AdapterOrder) { tenant { adapters(after: $after, orderBy: $orderBy) { totalCount } } }';
      const answer = await graphql(test, tenant.key, query, { after: pageInfo.endCursor, orderBy: { field, direction: 'ASC' } });
      expect(answer.errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field: 'after' });
    });
  });

  interface Page {
    totalCount: number;
    nodes: { slug: string }[];
    edges: { cursor: string; node: { slug: string } }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string | null };
  }

  async function adaptersPage(tenant: Tenant, variables: Record<string, unknown>): Promise<Page> {
    const query = `query ($first: Int, $after: String, $status: AdapterStatus, $search: String, $orderBy: AdapterOrder) {
      tenant { adapters(first: $first, after: $after, status: $status, search: $search, orderBy: $orderBy) {
        totalCount nodes { slug } edges { cursor node { slug } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`;
    const { tenant: found } = await data(graphql<{ tenant: { adapters: Page } }>(test, tenant.key, query, variables));
    return found.adapters;
  }

  it('updateAdapter changes name and description, nothing else', async () => {
    const adapter = await createAdapter(test, shop.key, 'renamed', fixture('a'));
    const query = `mutation ($input: UpdateAdapterInput!) { updateAdapter(input: $input) { adapter { ${ADAPTER_FIELDS} description } } }`;
    const answer = await data(
      graphql<{ updateAdapter: { adapter: AdapterAnswer } }>(test, shop.key, query, {
        input: { adapterId: adapter.id, name: ' Better name ', description: 'What it does' },
      }),
    );
    expect(answer.updateAdapter.adapter).toMatchObject({ slug: 'renamed', name: 'Better name', description: 'What it does' });
    const { errors } = await graphql(test, shop.key, query, { input: { adapterId: adapter.id, name: '' } });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'name' });
  });

  it('deleteAdapter frees slug and quota, and takes unfinished uploads along', async () => {
    const tenant = await createTenant(test);
    const files = fixture('a');
    const { id } = await createAdapter(test, tenant.key, 'gone', files);
    await upload(test, tenant.key, id, 'adapter_config.json', files['adapter_config.json']);
    const query = `mutation { deleteAdapter(input: { adapterId: "${id}" }) { adapterId } }`;
    expect(await data(graphql(test, tenant.key, query))).toEqual({ deleteAdapter: { adapterId: id } });
    expect((await graphql(test, tenant.key, query)).errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    expect(readdirSync(test.config.UPLOADS_DIR).filter((name) => name.startsWith(id))).toEqual([]);
    await createAdapter(test, tenant.key, 'gone', files);
  });
});
