/** Streams whose reader may not read any more: a revoked or expired key, a member who was removed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReaderWatch } from '../src/core/generations/reader-watch.js';
import { all, type Follow, overSocket, overSse } from './event-followers.js';
import { find, ledgerOf, sql, startGeneration, tryGenerate, reasonOf } from './generation-fixtures.js';
import { createApiKey, createTenant, type Credentials, data, graphql, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { keysOf, postCompletion } from './limit-fixtures.js';
import { auth, join, memberId } from './member-fixtures.js';
import { gate, ScriptedRunner, until } from './scripted-runner.js';

describe('a reader who may not read any more', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  /** Of the generation that runs: when it has told two tokens. */
  let begun: ReturnType<typeof gate>;
  beforeAll(async () => {
    test = await startApp();
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  beforeEach(() => {
    begun = gate();
    runner.script = async (run) => {
      const cancelled = run.cancelled();
      await run.tokens('Once', 2);
      begun.open();
      await cancelled;
      await run.finish('cancelled');
    };
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const look = (): Promise<void> => test.app.get(ReaderWatch, { strict: false }).look();
  const newKey = (): Promise<Credentials & { authorization: string }> => createApiKey(test, one.user, 'short-lived');
  const newestId = async (): Promise<string> => (await sql<{ id: string }>(test, 'SELECT id FROM generations ORDER BY created_at DESC, id DESC LIMIT 1'))[0]!.id;

  async function revoke(): Promise<void> {
    const { id } = (await keysOf(test, one.user)).find(({ name }) => name === 'short-lived')!;
    await data(graphql(test, one.user.cookie, 'mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKeyId } }', { id }));
  }
  const rotate = async (graceSeconds: number): Promise<void> => {
    const { id } = (await keysOf(test, one.user)).find(({ name }) => name === 'short-lived')!;
    await data(graphql(test, one.user.cookie, 'mutation ($id: ID!, $s: Int) { rotateApiKey(input: { apiKeyId: $id, graceSeconds: $s }) { secret } }', { id, s: graceSeconds }));
  };
  /** The stream goes on as long as the grace does. */
  async function rotateWithGrace(): Promise<void> {
    await rotate(600);
    await look();
    expect(test.app.get(ReaderWatch, { strict: false }).size).toBe(1);
    await sql(test, "UPDATE api_keys SET previous_ends_at = now() - interval '1 second' WHERE previous_key_hash IS NOT NULL");
  }
  const expire = async (): Promise<void> => void (await sql(test, "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE name = 'short-lived' AND revoked_at IS NULL"));

  async function expectChargedSoFar(id: string): Promise<void> {
    await until(async () => (await find(test, one.key, id)).finishedAt !== null);
    expect(await find(test, one.key, id)).toMatchObject({ status: 'CANCELLED', completionTokens: 2 });
    expect(await ledgerOf(test, id)).toMatchObject([{ completion_tokens: 2 }]);
  }

  it.each([
    ['revoked', revoke, {}],
    ['expired', expire, {}],
    ['rotated without a grace', () => rotate(0), {}],
    ['rotated, when the grace is over', rotateWithGrace, {}],
    ['revoked, of a request that may be repeated', revoke, { 'idempotency-key': 'again' }],
  ])('with a key that was %s: a stream of /v1 ends with an error, the generation too, and what was generated is charged', async (_how, end, headers) => {
    const response = await postCompletion(test, await newKey(), { model: TEST_MODEL, prompt: 'x', stream: true }, headers);
    await begun.opened;
    const id = await newestId();
    await look();
    expect((await find(test, one.key, id)).status).toBe('RUNNING');
    await end();
    await look();
    const text = await response.text();
    expect(text).toContain('"text":"Once"');
    expect(text).toMatch(/"error":\{[^}]*"code":"UNAUTHENTICATED"/i);
    await expectChargedSoFar(id);
  });

  it('with a key that was revoked: whole answers are errors, and what was generated is charged', async () => {
    const key = await newKey();
    const asked = postCompletion(test, key, { model: TEST_MODEL, prompt: 'x' });
    await begun.opened;
    const id = await newestId();
    begun = gate();
    const generated = tryGenerate(test, key);
    await begun.opened;
    const second = await newestId();
    await revoke();
    await look();
    expect((await asked).status).toBe(401);
    expect(reasonOf(await generated)).toBe('UNAUTHENTICATED');
    await expectChargedSoFar(id);
    await expectChargedSoFar(second);
  });

  it.each<[string, Follow]>([['WebSocket', overSocket], ['SSE', overSse]])('who was removed: a subscription over %s ends with an error, and his generation', async (_name, follow) => {
    const member = await join(test, one.user, 'member');
    const { id } = await startGeneration(test, member.cookie);
    const events = all(follow(test, member.cookie, id)).catch((error: Error) => error.message);
    await begun.opened;
    await removed(member);
    await until(() => look().then(() => test.app.get(ReaderWatch, { strict: false }).size === 0));
    expect(await events).toBe('FORBIDDEN');
    await expectChargedSoFar(id);
  });

  it("who was removed: what others asked for goes on, and so do others' streams of it", async () => {
    const member = await join(test, one.user, 'member');
    const { id } = await startGeneration(test, one.key);
    const his = all(overSse(test, member.cookie, id)).catch((error: Error) => error.message);
    const ours = all(overSse(test, one.key, id));
    await begun.opened;
    await removed(member);
    await until(() => look().then(() => test.app.get(ReaderWatch, { strict: false }).size === 1));
    expect(await his).toBe('FORBIDDEN');
    expect((await find(test, one.key, id)).status).toBe('RUNNING');
    await data(graphql(test, one.key, 'mutation ($id: ID!) { cancelGeneration(input: { generationId: $id }) { generation { id } } }', { id }));
    expect((await ours).at(-1)).toMatchObject({ __typename: 'GenerationEnd', finishReason: 'CANCELLED' });
    expect(test.app.get(ReaderWatch, { strict: false }).size).toBe(0);
  });

  async function removed(member: Awaited<ReturnType<typeof join>>): Promise<void> {
    const memberIdOrEmail = await memberId(test, one.user, member);
    expect((await auth(test, 'organization/remove-member', { memberIdOrEmail, organizationId: one.id }, one.user.cookie)).status).toBe(200);
  }
});
