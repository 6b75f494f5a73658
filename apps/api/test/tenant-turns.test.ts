import { virtualTimeKey } from '@aril/contracts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { takeTurn } from '../src/core/generations/tenant-turns.js';
import { startApp, TEST_MODEL, type TestApp } from './harness.js';

let test: TestApp;
let redis: Redis;
beforeAll(async () => {
  test = await startApp();
  redis = new Redis(test.config.REDIS_URL);
});
beforeEach(async () => {
  await redis.del(virtualTimeKey(TEST_MODEL));
});
afterAll(async () => {
  redis.disconnect();
  await test.stop();
});

const take = (tenantId: string, choices = 1, nobodyWaits = false): Promise<number> =>
  takeTurn(redis, { baseModelId: TEST_MODEL, tenantId, choices }, () => Promise.resolve(nobodyWaits));
/** A runner has let in somebody whose turn this was. */
const serve = (turn: number): Promise<number> => redis.hset(virtualTimeKey(TEST_MODEL), 'now', turn);

it("a tenant's turns come one after the other, each as long as it has choices", async () => {
  expect([await take('a'), await take('a', 16), await take('a'), await take('a')]).toEqual([0, 1, 17, 18]);
});

it('somebody else has his turn now, however many wait', async () => {
  for (let i = 0; i < 20; i++) await take('a');
  expect(await take('b')).toBe(0);
  await serve(7);
  expect([await take('c'), await take('b'), await take('a')]).toEqual([7, 7, 20]);
});

it('who sends his next when the last was served is not behind for what he had before', async () => {
  expect(await take('a', 5)).toBe(0);
  await serve(40);
  expect(await take('a')).toBe(40);
});

it('begins anew late in time when nobody waits, and by itself after an idle hour', async () => {
  await serve(1_500_000);
  expect(await take('a')).toBe(1_500_000);
  expect(await take('b', 1, true)).toBe(0);
  expect(await take('a')).toBe(0);
  const ttl = await redis.ttl(virtualTimeKey(TEST_MODEL));
  expect(ttl).toBeGreaterThan(3_500);
});
