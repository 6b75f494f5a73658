/** Requests that name a deployment: which variant answers, and what is told and written of it. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { GenerationQueue } from '../src/core/generations/generation-queue.js';
import { GenerationTargets } from '../src/core/generations/generation-targets.js';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { createDeployment, deleteDeployment, type DeploymentAnswer, tryDelete, updateDeployment } from './deployment-fixtures.js';
import { find, generate, ledgerOf, reasonOf, sql, startGeneration, tryGenerate } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { gate, ScriptedRunner, tell, until } from './scripted-runner.js';

type Tenant = Awaited<ReturnType<typeof createTenant>>;
interface Row extends Record<string, unknown> {
  id: string;
  target: string;
  variant: string | null;
  adapter_id: string | null;
  deployment_id: string | null;
}

const MESSAGES = [{ role: 'user', content: 'Tell me a story' }];

describe('a request that names a deployment', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Tenant;
  let other: Tenant;
  let deployment: DeploymentAnswer;
  const adapters = new Map<string, string>();

  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    for (const [slug, files] of [['friendly', 'a'], ['brief', 'b']] as const) {
      adapters.set(slug, (await bringAdapter(test, one.key, slug, fixture(files))).id);
    }
    const variants = [{ target: 'friendly', weight: 50 }, { target: 'brief', weight: 50 }];
    deployment = await createDeployment(test, one.key, { slug: 'reply', variants });
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const post = (body: object, headers: Record<string, string> = {}, path = 'chat/completions'): Promise<Response> => {
    const standard = path === 'completions' ? { prompt: 'Once' } : { messages: MESSAGES };
    return fetch(`${test.url}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...one.key, ...headers },
      body: JSON.stringify({ model: 'reply', ...standard, ...body }),
    });
  };
  /** What answered. */
  const variantOf = async (body: object, headers: Record<string, string> = {}, path?: string): Promise<string | null> => {
    const response = await post(body, headers, path);
    await response.text();
    return response.headers.get('x-aril-variant');
  };
  const rowsOf = (target: string): Promise<Row[]> =>
    sql<Row>(test, 'SELECT * FROM generations WHERE target = $1 AND tenant_id = $2 ORDER BY created_at', [target, one.id]);
  const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);

  it('is answered by one of its variants, under the name that was asked for', async () => {
    const response = await post({ user: 'maya' });
    const completion = (await response.json()) as { id: string; model: string };
    const variant = response.headers.get('x-aril-variant') ?? '';
    expect(completion.model).toBe('reply');
    expect([...adapters.keys()]).toContain(variant);
    const id = completion.id.replace('chatcmpl-', '');
    const [row] = await sql<Row>(test, 'SELECT * FROM generations WHERE id = $1', [id]);
    const adapterId = adapters.get(variant);
    expect(row).toMatchObject({ target: 'reply', variant, adapter_id: adapterId, deployment_id: deployment.id });
    const [sha256] = await sql<{ sha256: string }>(test, 'SELECT sha256 FROM adapters WHERE id = $1', [adapterId]);
    expect(runner.jobs.find((job) => job.generationId === id)?.adapter?.sha256).toBe(sha256?.sha256);
    const [entry] = await until(async () => ((await ledgerOf(test, id)).length === 1 ? ledgerOf(test, id) : null));
    expect(entry).toMatchObject({ target: 'reply', variant, deployment_id: deployment.id, adapter_id: adapterId });
  });

  it('tells the variant of a stream too, to pages of any origin, and what answered where nothing was to choose', async () => {
    const response = await post({ user: 'maya', stream: true }, { origin: 'https://shop.example' });
    const text = await response.text();
    expect(response.headers.get('x-aril-variant')).toBe(await variantOf({ user: 'maya' }));
    expect(response.headers.get('access-control-expose-headers')).toContain('x-aril-variant');
    expect(new Set(text.match(/"model":"[^"]*"/g))).toEqual(new Set(['"model":"reply"']));
    expect(await variantOf({ model: 'brief' })).toBe('brief');
    expect(await variantOf({ model: TEST_MODEL })).toBe(TEST_MODEL);
  });

  it('has the same variant for the same user, by whatever name and door', async () => {
    const byUser = new Map<string, string | null>();
    for (const user of users) byUser.set(user, await variantOf({ user }));
    expect(new Set(byUser.values()).size).toBe(2);
    for (const [user, variant] of [...byUser].slice(0, 6)) {
      expect(await variantOf({ user, stream: true })).toBe(variant);
      expect(await variantOf({ safety_identifier: user })).toBe(variant);
      expect(await variantOf({ user, safety_identifier: 'newer', prompt_cache_key: 'other' })).toBe(variant);
      expect(await variantOf({ user }, {}, 'completions')).toBe(variant);
      const generation = await generate(test, one.key, { target: 'reply', routingKey: user });
      expect(generation).toMatchObject({ target: 'reply', variant, deploymentId: deployment.id });
    }
  });

  it('has any variant without a user, an empty one included, and one for all prompts of a request', async () => {
    for (const body of [{}, { user: '' }, { user: null }, { prompt_cache_key: 'same' }]) {
      const seen = new Set<string | null>();
      await until(async () => seen.add(await variantOf(body)).size === 2);
    }
    for (let i = 0; i < 4; i++) {
      const before = (await rowsOf('reply')).length;
      const variant = await variantOf({ prompt: ['Once', 'Twice', 'Thrice', 'Again'] }, {}, 'completions');
      const rows = (await rowsOf('reply')).slice(before);
      expect(rows.map((row) => row.variant)).toEqual(Array.from({ length: 4 }, () => variant));
    }
  });

  it('follows a change of weights at once, moving only the users it must', async () => {
    const { id } = await createDeployment(test, one.key, {
      slug: 'moving',
      variants: [{ target: 'friendly', weight: 50 }, { target: 'brief', weight: 50 }],
    });
    const ask = async (): Promise<(string | null)[]> => {
      const found: (string | null)[] = [];
      for (const user of users) found.push(await variantOf({ model: 'moving', user }));
      return found;
    };
    const before = await ask();
    await updateDeployment(test, one.key, { deploymentId: id, variants: [{ target: 'friendly', weight: 200 }, { target: 'brief', weight: 50 }] });
    const after = await ask();
    for (const [index, variant] of after.entries()) if (variant !== before[index]) expect(variant).toBe('friendly');
    await updateDeployment(test, one.key, { deploymentId: id, variants: [{ target: 'friendly', weight: 0 }, { target: 'brief', weight: 1 }] });
    expect(new Set(await ask())).toEqual(new Set(['brief']));
  });

  it('leaves users where they are when another adapter, or the base model, takes the place of theirs', async () => {
    const made = await createDeployment(test, one.key, {
      slug: 'replaced',
      variants: [{ target: 'friendly', weight: 50 }, { target: 'brief', weight: 50 }],
    });
    const [kept, replaced] = made.variants.map(({ id }) => id);
    const before = new Map<string, string | null>();
    for (const user of users) before.set(user, await variantOf({ model: 'replaced', user }));
    const variants = [{ id: kept, target: 'friendly', weight: 50 }, { id: replaced, target: TEST_MODEL, weight: 50 }];
    await updateDeployment(test, one.key, { deploymentId: made.id, variants });
    for (const [user, variant] of before) expect(await variantOf({ model: 'replaced', user })).toBe(variant === 'brief' ? TEST_MODEL : variant);
    const row = (await rowsOf('replaced')).find(({ variant }) => variant === TEST_MODEL);
    expect(row).toMatchObject({ adapter_id: null, deployment_id: made.id });
  });

  describe('with an idempotency key', () => {
    it('is answered by the same variant again, whatever the weights are by then', async () => {
      const { id } = await createDeployment(test, one.key, { slug: 'again', variants: [{ target: 'friendly', weight: 1 }] });
      await runner.pause();
      try {
        const input = { target: 'again', idempotencyKey: 'order-1' };
        const first = await startGeneration(test, one.key, input);
        await updateDeployment(test, one.key, { deploymentId: id, variants: [{ target: 'brief', weight: 1 }] });
        expect(await startGeneration(test, one.key, input)).toMatchObject({ id: first.id, variant: 'friendly' });
        await deleteDeployment(test, one.key, id);
        expect(await startGeneration(test, one.key, input)).toMatchObject({ id: first.id, variant: 'friendly' });
      } finally {
        await runner.resume();
      }
      expect((await generate(test, one.key, { target: 'again', idempotencyKey: 'order-1' })).variant).toBe('friendly');
    });

    it('runs what its row says, when two ask at once for different users', async () => {
      const seen = new Map<string | null, string>();
      for (const user of users) seen.set(await variantOf({ user }), user);
      const [targets, queue] = [test.app.get(GenerationTargets), test.app.get(GenerationQueue)];
      const [resolve, add] = [targets.resolve.bind(targets), queue.add.bind(queue)];
      const [both, loser] = [gate(), gate()];
      let arrived = 0;
      // Both have chosen before either has a row; and the one without a row of his own is the first to add the job.
      vi.spyOn(targets, 'resolve').mockImplementation(async (...args) => {
        const target = await resolve(...args);
        if (++arrived === 2) both.open();
        await both.opened;
        return target;
      });
      vi.spyOn(queue, 'add')
        .mockImplementation(async (job) => add(job).then(loser.open))
        .mockImplementationOnce(async (job) => loser.opened.then(() => add(job)));
      const ask = (routingKey: string) => startGeneration(test, one.key, { target: 'reply', routingKey, idempotencyKey: 'crowd' });
      const [generation, same] = await Promise.all([...seen.values()].map(ask)).finally(() => vi.restoreAllMocks());
      expect(seen.size).toBe(2);
      expect([same?.id, same?.variant]).toEqual([generation?.id, generation?.variant]);
      const job = await until(() => runner.jobs.find(({ generationId }) => generationId === generation?.id));
      const [adapter] = await sql<{ slug: string }>(test, 'SELECT slug FROM adapters WHERE sha256 = $1', [job.adapter?.sha256]);
      expect(adapter?.slug).toBe(generation?.variant);
    });
  });

  it('is shown with its variant later, and without a deployment with its target', async () => {
    const { id } = await generate(test, one.key, { target: 'reply', routingKey: 'maya' });
    const shown = await find(test, one.key, id);
    expect([...adapters.keys()]).toContain(shown.variant);
    expect(await generate(test, one.key, { target: 'brief' })).toMatchObject({ target: 'brief', variant: 'brief', deploymentId: null });
  });

  it('goes on when the deployment is deleted; the next is told that there is none', async () => {
    const { id } = await createDeployment(test, one.key, { slug: 'short-lived', variants: [{ target: 'brief', weight: 1 }] });
    await runner.pause();
    const started = await startGeneration(test, one.key, { target: 'short-lived' });
    await deleteDeployment(test, one.key, id);
    await runner.resume();
    await until(async () => (await find(test, one.key, started.id)).status === 'SUCCEEDED');
    const response = await post({ model: 'short-lived' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      error: { param: 'model', message: 'model: there is no adapter, deployment or base model "short-lived"' },
    });
    expect((await tryDelete(test, one.key, 'Adapter', adapters.get('brief') ?? '')).errors?.[0]?.message).not.toContain('short-lived');
  });

  it("is refused to other tenants, and so are a routing key that is none and too long a user", async () => {
    expect(reasonOf(await tryGenerate(test, other.key, { target: 'reply' }))).toBe('MODEL_NOT_FOUND');
    for (const routingKey of ['', 'x'.repeat(1_025)]) {
      const { errors } = await tryGenerate(test, one.key, { target: 'reply', routingKey });
      expect(errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field: 'routingKey' });
    }
    for (const [param, value] of [['user', 'x'.repeat(1_025)], ['safety_identifier', 5]] as const) {
      const response = await post({ [param]: value });
      expect([response.status, ((await response.json()) as { error: { param: string } }).error.param]).toEqual([400, param]);
    }
  });

  it('finds it among the models', async () => {
    type Model = { id: string; parent: string | null; max_model_len: number };
    const list = async (path: string, tenant = one): Promise<Response> => fetch(`${test.url}/v1/models${path}`, { headers: tenant.key });
    const { data: models } = (await (await list('')).json()) as { data: Model[] };
    expect(models.find(({ id }) => id === 'reply')).toMatchObject({ parent: TEST_MODEL, max_model_len: 512, owned_by: one.id });
    expect(((await (await list('/reply')).json()) as Model).id).toBe('reply');
    expect((await list('/reply', other)).status).toBe(404);
    expect(await data(graphql(test, one.key, '{ tenant { deployments(search: "repl") { totalCount } } }'))).toMatchObject({
      tenant: { deployments: { totalCount: 2 } },
    });
  });
});
