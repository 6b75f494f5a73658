import OpenAI from 'openai';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DemoSeeder } from '../src/core/demo/demo-seeder.js';
import type { SeedOut } from '../src/core/demo/seed-out.js';
import { data, graphql, startApp, type TestApp } from './harness.js';
import { ScriptedRunner } from './scripted-runner.js';

const repository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

describe('the seed', () => {
  let test: TestApp;
  let folder: string;
  let first: SeedOut;
  const seed = (out = 'seed.json', password?: string): Promise<SeedOut> =>
    test.app.get(DemoSeeder).seed({ adaptersDir: repository('examples/adapters'), out: join(folder, out), password });

  beforeAll(async () => {
    test = await startApp({ MODEL_CATALOG: repository('models/catalog.json') });
    folder = mkdtempSync(join(tmpdir(), 'aril-seed-'));
    first = await seed();
  });
  afterAll(async () => {
    await test.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const slugsWith = async (apiKey: string): Promise<string[]> => {
    const query = '{ tenant { adapters(status: READY) { nodes { slug } } } }';
    const credentials = { authorization: `Bearer ${apiKey}` };
    const { tenant } = await data(graphql<{ tenant: { adapters: { nodes: { slug: string }[] } } }>(test, credentials, query));
    return tenant.adapters.nodes.map((node) => node.slug).sort();
  };

  const signIn = (email: string, password: string): Promise<Response> =>
    fetch(`${test.url}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://127.0.0.1:3000' },
      body: JSON.stringify({ email, password }),
    });

  it('makes two tenants with three adapters each, and writes how to get in', async () => {
    expect(JSON.parse(readFileSync(join(folder, 'seed.json'), 'utf8'))).toEqual(first);
    expect(statSync(join(folder, 'seed.json')).mode & 0o077).toBe(0);
    expect(first.tenants.map(({ name, slug }) => [name, slug])).toEqual([
      ['Fern & Thistle', 'fern-thistle'],
      ['Northbeam Software', 'northbeam-software'],
    ]);
    for (const { login, password, apiKey, adapters } of first.tenants) {
      expect(await slugsWith(apiKey)).toEqual([...adapters].sort());
      expect((await signIn(login, password)).status).toBe(200);
    }
  });

  it("splits the shop's replies between its two adapters, half and half, for whoever writes", async () => {
    const runner = new ScriptedRunner(test, 'smollm2-135m-instruct');
    const client = new OpenAI({ baseURL: `${test.url}/v1`, apiKey: first.tenants[0]?.apiKey, maxRetries: 0 });
    const reply = async (user: string): Promise<string | null> => {
      const messages = [{ role: 'user' as const, content: 'Where is my parcel?' }];
      const { response } = await client.chat.completions.create({ model: 'reply', messages, user }).withResponse();
      return response.headers.get('x-aril-variant');
    };
    try {
      const users = Array.from({ length: 40 }, (_, index) => `customer-${index}`);
      const variants = await Promise.all(users.map(reply));
      expect(new Set(variants)).toEqual(new Set(['reply-friendly', 'reply-brief']));
      expect(await Promise.all(users.map(reply))).toEqual(variants);
      expect(new Set(runner.jobs.map(({ adapter }) => adapter?.sha256)).size).toBe(2);
    } finally {
      await runner.close();
    }
  });

  it('changes nothing when it runs again', async () => {
    expect(await seed()).toEqual(first);
  });

  it('makes new passwords and keys when the file is lost', async () => {
    const again = await seed('other.json');
    for (const [i, { login, password, apiKey, slug }] of again.tenants.entries()) {
      expect(slug).toBe(first.tenants[i]?.slug);
      expect(password).not.toBe(first.tenants[i]?.password);
      expect((await signIn(login, password)).status).toBe(200);
      expect(await slugsWith(apiKey)).toHaveLength(3);
    }
  });

  it('takes a given password', async () => {
    const { tenants } = await seed('other.json', 'a password of my own');
    for (const { login, password } of tenants) {
      expect(password).toBe('a password of my own');
      expect((await signIn(login, password)).status).toBe(200);
    }
  });
});
