/** What happens to an adapter's content when processes die, deletes cross uploads, and tenants share content. */
import type { ObjectStore } from '@aril/object-store';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { AdapterPurge } from '../src/core/adapters/adapter-purge.js';
import { RedisService } from '../src/base/redis/redis.service.js';
import { OBJECT_STORE } from '../src/integrations/object-storage/object-storage.module.js';
import { bringAdapter, createAdapter, finishAdapter, fixture, upload, type AdapterAnswer } from './adapter-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, type TestApp } from './harness.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;

describe('the life of an adapter', () => {
  const files = fixture('a');
  let test: TestApp;
  let shop: Tenant;
  beforeAll(async () => {
    test = await startApp({ GENERATION_TIMEOUT_S: '0.5' });
  });
  afterAll(() => test.stop());
  afterEach(() => vi.restoreAllMocks());

  const objects = (): ObjectStore => test.app.get<ObjectStore>(OBJECT_STORE);
  const isStored = async (tenant: Tenant, { sha256 }: AdapterAnswer): Promise<boolean> =>
    (await objects().head(`adapters/${tenant.id}/${sha256}/adapter_model.safetensors`)) !== null;
  const remove = (tenant: Tenant, id: string): Promise<unknown> =>
    data(graphql(test, tenant.key, `mutation { deleteAdapter(input: { adapterId: "${id}" }) { adapterId } }`));

  async function uploaded(slug: string, { key } = shop): Promise<string> {
    const { id } = await createAdapter(test, key, slug, files);
    for (const [name, bytes] of Object.entries(files)) await upload(test, key, id, name, bytes);
    return id;
  }

  beforeAll(async () => {
    shop = await createTenant(test);
  });

  it('finishes when it is asked again after a failure between the two objects', async () => {
    const id = await uploaded('interrupted');
    const put = vi.spyOn(objects(), 'put').mockRejectedValueOnce(new Error('the store went away'));
    const first = await graphql(test, shop.key, `mutation { finishAdapterUpload(input: { adapterId: "${id}" }) { adapter { status } } }`);
    expect(first.errors?.[0]?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
    expect(put).toHaveBeenCalledTimes(1);
    const { adapter } = await data(graphql<{ adapter: AdapterAnswer }>(test, shop.key, `{ adapter(id: "${id}") { status sha256 files { received bytes } } }`));
    expect(adapter).toMatchObject({ status: 'UPLOADING', sha256: null });
    const done = await finishAdapter(test, shop.key, id);
    expect(done.status).toBe('READY');
    expect(await isStored(shop, done)).toBe(true);
  });

  it('finishes after a restart in the middle', async () => {
    const id = await uploaded('restarted');
    await test.restart();
    expect((await finishAdapter(test, shop.key, id)).status).toBe('READY');
  });

  it('gives one answer when two copies of the API finish it at once', async () => {
    const peer = await test.peer();
    try {
      const id = await uploaded('two-copies');
      const answers = await Promise.all([test, peer, test, peer].map((copy) => finishAdapter(copy, shop.key, id)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]?.status).toBe('READY');
      expect(await isStored(shop, answers[0] as AdapterAnswer)).toBe(true);
    } finally {
      await peer.stop();
    }
  });

  describe('when adapters are deleted', () => {
    /** When no generation that was let in before the delete can need an object any more. */
    const LATER_MS = 62_000;
    const sweep = (inMs: number, copy = test): Promise<void> => copy.app.get(AdapterPurge).sweep(Date.now() + inMs);

    it('removes their objects, after the generations that may need them, whatever Redis has forgotten', async () => {
      const tenant = await createTenant(test);
      const adapter = await bringAdapter(test, tenant.key, 'doomed', fixture('b'));
      await remove(tenant, adapter.id);
      await test.app.get(RedisService).client.flushdb();
      await sweep(LATER_MS - 5_000);
      expect(await isStored(tenant, adapter)).toBe(true);
      await sweep(LATER_MS);
      expect(await isStored(tenant, adapter)).toBe(false);
    });

    it('tries again what the store refused, and does nothing twice', async () => {
      const tenant = await createTenant(test);
      const adapter = await bringAdapter(test, tenant.key, 'stubborn', fixture('b'));
      await remove(tenant, adapter.id);
      const refusal = vi.spyOn(objects(), 'delete').mockRejectedValueOnce(new Error('the store is away'));
      await sweep(LATER_MS);
      expect(await isStored(tenant, adapter)).toBe(true);
      await sweep(LATER_MS);
      expect(await isStored(tenant, adapter)).toBe(false);
      refusal.mockClear();
      await sweep(LATER_MS);
      expect(refusal).not.toHaveBeenCalled();
    });

    it('keeps objects that another adapter of the tenant shares, and never touches another tenant', async () => {
      const [one, two] = [await createTenant(test), await createTenant(test)];
      const first = await bringAdapter(test, one.key, 'first', files);
      const twin = await bringAdapter(test, one.key, 'twin', files);
      const elsewhere = await bringAdapter(test, two.key, 'first', files);
      expect(new Set([first.sha256, twin.sha256, elsewhere.sha256]).size).toBe(1);
      await remove(one, first.id);
      await sweep(LATER_MS);
      expect(await isStored(one, twin)).toBe(true);
      await remove(one, twin.id);
      await sweep(LATER_MS);
      expect(await isStored(one, twin)).toBe(false);
      expect(await isStored(two, elsewhere)).toBe(true);
    });

    it('keeps objects for the generations of a twin that was deleted later', async () => {
      const tenant = await createTenant(test);
      const first = await bringAdapter(test, tenant.key, 'first', files);
      const twin = await bringAdapter(test, tenant.key, 'twin', files);
      await remove(tenant, first.id);
      const between = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await remove(tenant, twin.id);
      // As if the first were due and the second not yet.
      await test.app.get(AdapterPurge).sweep(between + 60_500);
      expect(await isStored(tenant, twin)).toBe(true);
      await sweep(LATER_MS);
      expect(await isStored(tenant, twin)).toBe(false);
    });

    it('finds what was put only after the purge', async () => {
      const tenant = await createTenant(test);
      const id = await uploaded('overtaken', tenant);
      const real = objects().put.bind(objects());
      vi.spyOn(objects(), 'put').mockImplementationOnce(async (...args) => {
        await remove(tenant, id);
        await sweep(LATER_MS);
        return real(...args);
      });
      await graphql(test, tenant.key, `mutation { finishAdapterUpload(input: { adapterId: "${id}" }) { adapter { status } } }`);
      const keys = await sql<{ object_key: string }>(test, 'SELECT object_key FROM adapter_files WHERE adapter_id = $1', [id]);
      const stored = async (): Promise<boolean[]> => Promise.all(keys.map(async ({ object_key: key }) => (await objects().head(key)) !== null));
      expect(await stored()).toContain(true);
      await sweep(LATER_MS);
      expect(await stored()).toEqual([false, false]);
    });
  });

  it('an adapter deleted while it is being finished stays deleted', async () => {
    const id = await uploaded('crossed');
    const real = objects().put.bind(objects());
    vi.spyOn(objects(), 'put').mockImplementationOnce(async (...args) => {
      await remove(shop, id);
      return real(...args);
    });
    const { errors } = await graphql(test, shop.key, `mutation { finishAdapterUpload(input: { adapterId: "${id}" }) { adapter { status } } }`);
    expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    const { errors: gone } = await graphql(test, shop.key, `{ adapter(id: "${id}") { status } }`);
    expect(gone?.[0]?.extensions.code).toBe('NOT_FOUND');
  });
});
