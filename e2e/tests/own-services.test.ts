/** `DATABASE_URL` and `REDIS_URL` in place of the embedded services, as `npm start` takes them. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onDatabase, startPostgres, startRedis, withClient, type Server } from '@aril/local-services';
import { provideWeights, readCatalog } from '../../scripts/lib/model.mjs';
import { Report } from '../../scripts/lib/report.mjs';
import { readSettings } from '../../scripts/lib/settings.mjs';
import { chooseUrls, startStack } from '../../scripts/lib/stack.mjs';
import { SQL } from '../support/stack.js';

const dir = mkdtempSync(join(tmpdir(), 'aril-own-'));
let postgres: Server;
let redis: Server;
let databaseUrl: string;

beforeAll(async () => {
  postgres = await startPostgres({ dir: join(dir, 'postgres'), durable: false });
  redis = await startRedis({ dir: join(dir, 'redis') });
  // A hosted Postgres gives no superuser: the owner may create databases and roles, and that must do.
  await withClient(postgres.url, (client) =>
    client.query("CREATE ROLE hosted LOGIN CREATEDB CREATEROLE PASSWORD 'p@ss word'"),
  );
  const url = new URL(onDatabase(postgres.url, 'mine'));
  url.username = 'hosted';
  url.password = encodeURIComponent('p@ss word');
  databaseUrl = url.href;
});
afterAll(async () => {
  await postgres?.stop();
  await redis?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const settingsWith = (env: Record<string, string>) =>
  readSettings(
    {
      ...process.env,
      ARIL_HOME: join(dir, 'home'),
      API_PORT: '0',
      PORTAL_PORT: '0',
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      ...env,
    },
    [],
  );

async function start(env: Record<string, string> = {}) {
  const settings = settingsWith(env);
  const model = readCatalog(settings.repository);
  const weightsPath = await provideWeights(settings, model.weights!, () => {});
  const report = new Report({ quiet: true });
  return startStack({
    settings,
    model: { ...model, weightsPath } as never,
    report,
    urls: await chooseUrls(settings),
  });
}

describe('a Postgres and a Redis of one’s own', () => {
  it('are used instead of the embedded ones, and survive the stop', async () => {
    const started = await start();
    try {
      const { apiUrl, tenants } = started.facts;
      const tenant = tenants.find(({ adapters }: { adapters: string[] }) => adapters.includes(SQL.adapter))!;
      const response = await fetch(`${apiUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: SQL.adapter,
          messages: [{ role: 'user', content: SQL.prompt }],
          temperature: 0,
          max_tokens: 64,
        }),
      });
      const body = (await response.json()) as { choices: [{ message: { content: string } }] };
      expect(body.choices[0].message.content).toBe(SQL.answer);
      expect(existsSync(join(dir, 'home', 'postgres'))).toBe(false);
      expect(existsSync(join(dir, 'home', 'redis'))).toBe(false);
    } finally {
      await started.stop();
    }
    // As the superuser: row-level security is forced, so the owner sees no tenant's rows either.
    const rows = await withClient(
      onDatabase(postgres.url, 'mine'),
      async (client) => (await client.query('SELECT name FROM tenants ORDER BY name')).rows,
    );
    expect(rows.map(({ name }) => name)).toEqual(['Fern & Thistle', 'Northbeam Software']);
  });

  it('are named, with the variable to mend, when they refuse', async () => {
    const wrong = databaseUrl.replace(/:[^:@/]+@/, ':wrong@');
    await expect(start({ DATABASE_URL: wrong })).rejects.toThrow(
      /DATABASE_URL: the Postgres at .* refused: password authentication failed/,
    );
    await expect(start({ REDIS_URL: 'redis://127.0.0.1:1' })).rejects.toThrow(
      /REDIS_URL: the Redis at 127.0.0.1:1 refused/,
    );
  });
});
