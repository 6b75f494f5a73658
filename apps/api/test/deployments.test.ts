import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bringAdapter, createAdapter, fixture } from './adapter-fixtures.js';
import {
  createDeployment,
  DEPLOYMENT_FIELDS,
  type DeploymentAnswer,
  deleteDeployment,
  tryCreateDeployment,
  tryDelete,
  tryUpdateDeployment,
  updateDeployment,
} from './deployment-fixtures.js';
import { reasonOf, sql } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, TEST_MODEL, type TestApp } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

const TWIN = 'stories260k-twin';
const base = { target: TEST_MODEL, weight: 1 };
const many = (count: number) => Array.from({ length: count }, (_, index) => ({ target: `tales-${index}`, weight: 1 }));

describe('deployments', () => {
  let test: TestApp;
  let shop: Tenant;
  let other: Tenant;

  beforeAll(async () => {
    test = await startApp({ MODEL_CATALOG: fileURLToPath(new URL('./fixtures/catalog-twins.json', import.meta.url)) });
    shop = await createTenant(test);
    other = await createTenant(test);
    await bringAdapter(test, shop.key, 'tales', fixture('a'));
    await bringAdapter(test, shop.key, 'fables', fixture('b'));
    await createAdapter(test, shop.key, 'unfinished', fixture('a'));
    await bringAdapter(test, other.key, 'foreign', fixture('a'));
    const files = Object.entries(fixture('a')).map(([name, bytes]) => ({ name, bytes: bytes.length }));
    const twin = 'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { id } } }';
    await data(graphql(test, shop.key, twin, { input: { slug: 'of-the-twin', baseModelId: TWIN, files } }));
  });
  afterAll(() => test.stop());

  describe('createDeployment', () => {
    it.each([
      ['slug', { slug: 'Not A Slug' }],
      ['name', { name: 'x'.repeat(121) }],
      ['name', { name: 'a\0b' }],
      ['description', { description: 'x'.repeat(2001) }],
      ['baseModelId', { baseModelId: 'no-such-model' }],
      ['variants', { variants: [] }],
      ['variants', { variants: many(17) }],
      ['variants', { variants: [base, base] }],
      ['variants', { variants: [{ ...base, weight: 0 }, { target: 'tales', weight: 0 }] }],
      ['variants.0.weight', { variants: [{ ...base, weight: -1 }] }],
      ['variants.1.weight', { variants: [base, { target: 'tales', weight: 1001 }] }],
      ['variants.1.target', { variants: [base, { target: 'no-such-adapter', weight: 1 }] }],
      ['variants.0.target', { variants: [{ target: 'foreign', weight: 1 }] }],
      ['variants.0.target', { variants: [{ target: 'of-the-twin', weight: 1 }] }],
      ['variants.0.target', { variants: [{ target: TWIN, weight: 1 }] }],
      ['variants.0.target', { variants: [{ target: 'a\0b', weight: 1 }] }],
      ['variants.0.id', { variants: [{ ...base, id: 'no-id' }] }],
      ['variants.0.id', { variants: [{ ...base, id: '0198d000-0000-7000-8000-000000000000' }] }],
    ])('names the field at fault: %s', async (field, wrong) => {
      const { errors } = await tryCreateDeployment(test, shop.key, wrong);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
      expect(errors?.[0]?.message).toContain('expected');
    });

    it('refuses an adapter that is not READY, by name', async () => {
      const { errors } = await tryCreateDeployment(test, shop.key, { variants: [{ target: 'unfinished', weight: 1 }] });
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'ADAPTER_NOT_READY', field: 'variants.0.target' });
      expect(errors?.[0]?.message).toContain('"unfinished" is UPLOADING');
    });

    it('makes one, with the shares that its weights mean', async () => {
      const variants = [{ target: 'tales', weight: 30 }, { target: TEST_MODEL, weight: 10 }, { target: 'fables', weight: 0 }];
      const made = await createDeployment(test, shop.key, { slug: 'made', name: ' Made ', description: 'What for', variants });
      expect(made).toMatchObject({ slug: 'made', name: 'Made', description: 'What for', baseModel: { id: TEST_MODEL } });
      expect(made.variants.map(({ target, weight, share, adapter }) => [target, weight, share, adapter?.status ?? null])).toEqual([
        ['tales', 30, 0.75, 'READY'],
        [TEST_MODEL, 10, 0.25, null],
        ['fables', 0, 0, 'READY'],
      ]);
      expect(await createDeployment(test, shop.user.cookie, { slug: 'unnamed' })).toMatchObject({ name: 'unnamed', description: '' });
    });

    it('refuses more than a tenant can have', async () => {
      const tenant = await createTenant(test);
      await sql(
        test,
        `INSERT INTO deployments (id, tenant_id, slug, name, base_model_id)
         SELECT gen_random_uuid(), $1, 'many-' || n, 'many', $2 FROM generate_series(1, 1000) AS n`,
        [tenant.id, TEST_MODEL],
      );
      const { errors } = await tryCreateDeployment(test, tenant.key, {});
      expect([errors?.[0]?.extensions.code, errors?.[0]?.message]).toEqual([
        'QUOTA_EXCEEDED',
        'found 1000 deployments, expected fewer: delete one that is not used any more',
      ]);
    });

    it('is UNAUTHENTICATED without credentials', async () => {
      expect(reasonOf(await tryCreateDeployment(test, {}, {}))).toBe('UNAUTHENTICATED');
    });
  });

  describe('names', () => {
    const conflict = { code: 'CONFLICT', field: 'slug' };
    const tryAdapter = (tenant: Tenant, slug: string) => {
      const files = Object.entries(fixture('a')).map(([name, bytes]) => ({ name, bytes: bytes.length }));
      const query = 'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { id } } }';
      return graphql(test, tenant.key, query, { input: { slug, baseModelId: TEST_MODEL, files } });
    };

    it.each([
      ['an adapter', 'tales', 'there is an adapter "tales"'],
      ['an adapter that is not finished', 'unfinished', 'there is an adapter "unfinished"'],
      ['a base model', TEST_MODEL, `"${TEST_MODEL}" is the id of a base model`],
      ['a deployment', 'taken', 'there is a deployment "taken"'],
    ])('are refused when %s has them', async (_, slug, message) => {
      await createDeployment(test, shop.key, { slug: 'taken' }).catch(() => undefined);
      const { errors } = await tryCreateDeployment(test, shop.key, { slug });
      expect(errors?.[0]?.extensions).toMatchObject(conflict);
      expect(errors?.[0]?.message).toContain(message);
    });

    it('are refused to an adapter when a deployment has them', async () => {
      const { id } = await createDeployment(test, shop.key, { slug: 'split-name' });
      const { errors } = await tryAdapter(shop, 'split-name');
      expect(errors?.[0]?.extensions).toMatchObject(conflict);
      expect(errors?.[0]?.message).toContain('there is a deployment "split-name"');
      await deleteDeployment(test, shop.key, id);
      expect((await tryAdapter(shop, 'split-name')).errors).toBeUndefined();
    });

    it('are of one tenant', async () => {
      await createDeployment(test, other.key, { slug: 'tales' });
      expect((await tryAdapter(other, 'made')).errors).toBeUndefined();
    });

    it('are given once, when adapters and deployments want them at once', async () => {
      const tenant = await createTenant(test);
      for (const slug of ['race-0', 'race-1', 'race-2', 'race-3']) {
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, i) => (i % 2 ? tryCreateDeployment(test, tenant.key, { slug }) : tryAdapter(tenant, slug))),
        );
        const query = `{ tenant { adapters(search: "${slug}") { totalCount } deployments(search: "${slug}") { totalCount } } }`;
        type Counts = Record<'adapters' | 'deployments', { totalCount: number }>;
        const { tenant: found } = await data(graphql<{ tenant: Counts }>(test, tenant.key, query));
        expect(found.adapters.totalCount + found.deployments.totalCount).toBe(1);
        for (const { errors } of answers) if (errors) expect(errors[0]?.extensions).toMatchObject(conflict);
      }
    });
  });

  describe('deleteAdapter', () => {
    it('is refused while deployments use the adapter, whatever its weight, and names them', async () => {
      const tenant = await createTenant(test);
      const { id } = await bringAdapter(test, tenant.key, 'used', fixture('a'));
      const second = await createDeployment(test, tenant.key, { slug: 'second', variants: [{ target: 'used', weight: 5 }] });
      const first = await createDeployment(test, tenant.key, { slug: 'first', variants: [base, { target: 'used', weight: 0 }] });
      const { errors } = await tryDelete(test, tenant.key, 'Adapter', id);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', field: 'adapterId' });
      expect(errors?.[0]?.message).toContain('"used" is a variant of the deployments "first", "second"');
      await deleteDeployment(test, tenant.key, second.id);
      expect((await tryDelete(test, tenant.key, 'Adapter', id)).errors?.[0]?.message).toContain('of the deployment "first"');
      await updateDeployment(test, tenant.key, { deploymentId: first.id, variants: [base] });
      expect((await tryDelete(test, tenant.key, 'Adapter', id)).errors).toBeUndefined();
    });

    it('and a deployment that wants the adapter: one of them wins, whoever is first', async () => {
      const tenant = await createTenant(test);
      for (let round = 0; round < 6; round++) {
        const slug = `wanted-${round}`;
        const { id } = await bringAdapter(test, tenant.key, slug, fixture('a'));
        const [deleted, made] = await Promise.all([
          tryDelete(test, tenant.key, 'Adapter', id),
          tryCreateDeployment(test, tenant.key, { slug: `on-${slug}`, variants: [{ target: slug, weight: 1 }] }),
        ]);
        expect([deleted.errors === undefined, made.errors === undefined].filter(Boolean)).toHaveLength(1);
      }
    });
  });

  describe('deployment and tenant.deployments', () => {
    it("find the tenant's own only", async () => {
      const { id } = await createDeployment(test, shop.key, { slug: 'own' });
      const query = `{ deployment(id: "${id}") { ${DEPLOYMENT_FIELDS} } }`;
      const found = await data(graphql<{ deployment: DeploymentAnswer }>(test, shop.user.cookie, query));
      expect(found.deployment).toMatchObject({ id, slug: 'own', variants: [{ target: TEST_MODEL, share: 1 }] });
      expect(reasonOf(await graphql(test, other.key, query))).toBe('NOT_FOUND');
      expect(reasonOf(await graphql(test, {}, query))).toBe('UNAUTHENTICATED');
      expect(reasonOf(await graphql(test, shop.key, '{ deployment(id: "no-id") { id } }'))).toBe('NOT_FOUND');
    });

    it('page through all of them, newest first, and search', async () => {
      const tenant = await createTenant(test);
      const slugs = ['aa-1', 'bb-2', 'bb-3'];
      for (const slug of slugs) await createDeployment(test, tenant.key, { slug });
      type Page = { totalCount: number; nodes: { slug: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
      const page = async (args: string): Promise<Page> => {
        const query = `{ tenant { deployments(${args}) { totalCount nodes { slug } pageInfo { hasNextPage endCursor } } } }`;
        return (await data(graphql<{ tenant: { deployments: Page } }>(test, tenant.key, query))).tenant.deployments;
      };
      const first = await page('first: 2');
      expect([first.totalCount, first.nodes.map(({ slug }) => slug), first.pageInfo.hasNextPage]).toEqual([3, ['bb-3', 'bb-2'], true]);
      const second = await page(`first: 2, after: "${first.pageInfo.endCursor}"`);
      expect([second.nodes.map(({ slug }) => slug), second.pageInfo.hasNextPage]).toEqual([['aa-1'], false]);
      expect((await page('search: "BB"')).totalCount).toBe(2);
      for (const wrong of ['first: 0', 'first: 101', 'after: "nonsense"', 'search: "a\\u0000b"']) {
        const { errors } = await graphql(test, tenant.key, `{ tenant { deployments(${wrong}) { totalCount } } }`);
        expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: wrong.split(':')[0] });
      }
    });
  });

  describe('updateDeployment', () => {
    it('changes what is given and nothing else', async () => {
      const made = await createDeployment(test, shop.key, { slug: 'changing', description: 'before' });
      const renamed = await updateDeployment(test, shop.key, { deploymentId: made.id, name: 'Renamed' });
      expect(renamed).toEqual({ ...made, name: 'Renamed', updatedAt: renamed.updatedAt });
      expect(Date.parse(renamed.updatedAt)).toBeGreaterThan(Date.parse(made.updatedAt));
      const { errors } = await tryUpdateDeployment(test, shop.key, { deploymentId: made.id, name: '' });
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'name' });
    });

    it('keeps the id of a variant when its weight changes, and when another adapter takes its place', async () => {
      const given = [{ target: 'tales', weight: 1 }, { target: TEST_MODEL, weight: 1 }];
      const { id: deploymentId, variants } = await createDeployment(test, shop.key, { slug: 'kept', variants: given });
      const [first, second] = variants.map(({ id }) => id);
      const reweighed = await updateDeployment(test, shop.key, { deploymentId, variants: [{ ...base, weight: 9 }, { target: 'tales', weight: 1 }] });
      expect(reweighed.variants.map(({ id, weight }) => [id, weight])).toEqual([[second, 9], [first, 1]]);
      const swapped = await updateDeployment(test, shop.key, {
        deploymentId,
        variants: [{ id: first, target: TEST_MODEL, weight: 1 }, { id: second, target: 'tales', weight: 1 }],
      });
      expect(swapped.variants.map(({ id, target }) => [id, target])).toEqual([[first, TEST_MODEL], [second, 'tales']]);
      const replaced = await updateDeployment(test, shop.key, {
        deploymentId,
        variants: [{ id: first, target: 'fables', weight: 1 }, { target: TEST_MODEL, weight: 1 }],
      });
      expect(replaced.variants[0]).toMatchObject({ id: first, target: 'fables' });
      expect(variants.map(({ id }) => id)).not.toContain(replaced.variants[1]?.id);
    });

    it("refuses another deployment's variant, and leaves all as it was", async () => {
      const [one, two] = [await createDeployment(test, shop.key, { slug: 'one' }), await createDeployment(test, shop.key, { slug: 'two' })];
      const variants = [{ id: two.variants[0]?.id, target: 'tales', weight: 1 }];
      const { errors } = await tryUpdateDeployment(test, shop.key, { deploymentId: one.id, name: 'x', variants });
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'variants.0.id' });
      const query = `{ deployment(id: "${one.id}") { ${DEPLOYMENT_FIELDS} } }`;
      expect((await data(graphql<{ deployment: DeploymentAnswer }>(test, shop.key, query))).deployment).toEqual(one);
    });

    it('gives each of many changes at once whole, one after the other', async () => {
      const { id: deploymentId } = await createDeployment(test, shop.key, { slug: 'busy' });
      const updates = Array.from({ length: 6 }, (_, i) => ({ deploymentId, variants: [{ target: 'tales', weight: i + 1 }, { ...base, weight: i + 1 }] }));
      const answers = await Promise.all(updates.map((input) => updateDeployment(test, shop.key, input)));
      for (const [i, { variants }] of answers.entries()) expect(variants.map(({ weight }) => weight)).toEqual([i + 1, i + 1]);
      expect(new Set(answers.map(({ variants }) => variants[1]?.id)).size).toBe(1);
    });
  });

  it('deleteDeployment frees the name, and is final', async () => {
    const { id } = await createDeployment(test, shop.key, { slug: 'gone', variants: [{ target: 'tales', weight: 1 }] });
    await deleteDeployment(test, shop.key, id);
    expect(reasonOf(await tryDelete(test, shop.key, 'Deployment', id))).toBe('NOT_FOUND');
    expect(reasonOf(await tryUpdateDeployment(test, shop.key, { deploymentId: id, name: 'x' }))).toBe('NOT_FOUND');
    expect((await createDeployment(test, shop.key, { slug: 'gone' })).id).not.toBe(id);
  });

  it.each(['update', 'delete'])('%sDeployment: UNAUTHENTICATED without credentials, NOT_FOUND for another tenant', async (what) => {
    const { id } = await createDeployment(test, shop.key, { slug: `private-${what}` });
    const attempt = (credentials: Record<string, string>) =>
      what === 'delete' ? tryDelete(test, credentials, 'Deployment', id) : tryUpdateDeployment(test, credentials, { deploymentId: id, name: 'taken' });
    expect(reasonOf(await attempt({}))).toBe('UNAUTHENTICATED');
    expect(reasonOf(await attempt(other.key))).toBe('NOT_FOUND');
    expect(reasonOf(await attempt(other.user.cookie))).toBe('NOT_FOUND');
  });
});
