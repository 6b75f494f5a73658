import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RUNNERS_KEY } from '@aril/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisService } from '../src/base/redis/redis.service.js';
import { data, graphql, signUp, startApp, type TestApp } from './harness.js';

describe('health and base models', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await startApp();
  });
  afterAll(() => test.stop());

  it('is live, and ready when Postgres, Redis and the object store answer', async () => {
    expect(await (await fetch(`${test.url}/health`)).json()).toEqual({ status: 'ok' });
    const ready = await fetch(`${test.url}/ready`);
    expect(ready.status).toBe(200);
    const ok = { ok: true, ms: expect.any(Number) };
    expect(await ready.json()).toEqual({ status: 'ok', checks: { postgres: ok, redis: ok, objectStore: ok } });
  });

  it('names what does not answer', async () => {
    const bucket = {
      S3_BUCKET: 'aril',
      S3_ENDPOINT: 'http://127.0.0.1:9',
      S3_ACCESS_KEY_ID: 'key',
      S3_SECRET_ACCESS_KEY: 'secret',
      UPLOADS_DIR: mkdtempSync(join(tmpdir(), 'aril-health-')),
    };
    const broken = await startApp(bucket);
    try {
      const ready = await fetch(`${broken.url}/ready`);
      expect(ready.status).toBe(503);
      const { checks } = (await ready.json()) as { checks: Record<string, { ok: boolean }> };
      expect(Object.entries(checks).map(([name, { ok }]) => [name, ok])).toEqual([['postgres', true], ['redis', true], ['objectStore', false]]);
      expect((await fetch(`${broken.url}/health`)).status).toBe(200);
    } finally {
      await broken.stop();
    }
  });

  it('gives every answer a request id, the client\'s own if it has one', async () => {
    expect((await fetch(`${test.url}/health`)).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const own = await fetch(`${test.url}/health`, { headers: { 'x-request-id': 'my-request-42' } });
    expect(own.headers.get('x-request-id')).toBe('my-request-42');
    const odd = await fetch(`${test.url}/health`, { headers: { 'x-request-id': 'a b"c' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('answers unknown routes in the format of their part', async () => {
    const plain = (await (await fetch(`${test.url}/nowhere`)).json()) as { error: { code: string } };
    expect(plain.error.code).toBe('NOT_FOUND');
    const openai = (await (await fetch(`${test.url}/v1/nowhere`)).json()) as { error: { type: string } };
    expect(openai.error.type).toBe('not_found_error');
  });

  it('counts the runners that were heard of lately', async () => {
    const { cookie } = await signUp(test);
    const heartbeat = (atMs: number, baseModelId = 'stories260k'): string =>
      JSON.stringify({ runnerId: 'r', baseModelId, atMs, device: 'cpu', running: 0, waiting: 0, kvBlocksTotal: 1, kvBlocksFree: 1, adaptersResident: 0, adapterBytes: 0, stepMs: 0 });
    const now = Date.now();
    await test.app.get(RedisService).client.hset(RUNNERS_KEY, {
      one: heartbeat(now),
      two: heartbeat(now - 5_000),
      gone: heartbeat(now - 60_000),
      elsewhere: heartbeat(now, 'another-model'),
      nonsense: '{',
    });
    const query = '{ baseModels { id name family license contextTokens promptNanoUsdPerToken completionNanoUsdPerToken runnersOnline } }';
    expect(await data(graphql(test, cookie, query))).toEqual({
      baseModels: [
        {
          id: 'stories260k',
          name: 'Stories 260K',
          family: 'llama',
          license: 'MIT',
          contextTokens: 512,
          promptNanoUsdPerToken: '20',
          completionNanoUsdPerToken: '60',
          runnersOnline: 2,
        },
      ],
    });
    expect((await graphql(test, {}, query)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });
});
