import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onDatabase, withClient } from '@aril/local-services';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations/', import.meta.url));
/** Those before it are of a release that knew neither deployments nor limits nor statements. */
const SINCE = '20261126130000_deployments';
/** An owner as hosted databases have: row-level security that is forced holds for it too. */
const ROLE = `plain_owner_${randomBytes(4).toString('hex')}`;

const superuserUrl = onDatabase(inject('templateUrl'), ROLE);
const ownerUrl = ((): string => {
  const url = new URL(superuserUrl);
  [url.username, url.password] = [ROLE, ROLE];
  return url.href;
})();
const admin = (sql: string) => withClient(onDatabase(superuserUrl, 'postgres'), (client) => client.query(sql));
const apply = (names: string[]) =>
  withClient(ownerUrl, async (client) => {
    for (const name of names) await client.query(readFileSync(`${MIGRATIONS}${name}/migration.sql`, 'utf8'));
  });

beforeAll(async () => {
  await admin(`CREATE ROLE ${ROLE} LOGIN CREATEROLE PASSWORD '${ROLE}'`);
  await admin(`CREATE DATABASE ${ROLE} OWNER ${ROLE} TEMPLATE template0`);
});
afterAll(async () => {
  await admin(`DROP DATABASE ${ROLE} WITH (FORCE)`);
  await admin(`DROP ROLE ${ROLE}`);
});

it('fills what is new for entries that were there before, whoever owns the tables', async () => {
  const all = readdirSync(MIGRATIONS).filter((name) => /^\d/.test(name)).sort();
  await apply(all.filter((name) => name < SINCE));
  await withClient(superuserUrl, (client) =>
    client.query(`
      INSERT INTO tenants (id, name, slug) VALUES (gen_random_uuid(), 'x', 'x');
      INSERT INTO base_models (id, name, family, license, context_tokens) VALUES ('m', 'm', 'm', 'm', 1);
      INSERT INTO prices (id, base_model_id, prompt_nano_usd_per_token, completion_nano_usd_per_token) VALUES (gen_random_uuid(), 'm', 1, 1);
      INSERT INTO generations (id, tenant_id, base_model_id, target, price_id, request_hash, status, cached_tokens)
        SELECT gen_random_uuid(), t.id, 'm', 'm', p.id, 'x', 'SUCCEEDED', cached FROM tenants t, prices p, (VALUES (3), (30), (NULL)) AS c (cached);
      INSERT INTO ledger_entries (id, tenant_id, generation_id, base_model_id, target, price_id, prompt_tokens, completion_tokens, amount_nano_usd, at)
        SELECT gen_random_uuid(), tenant_id, id, 'm', 'm', price_id, 10, 1, 11, '2026-01-31T23:59:59.999Z' FROM generations`),
  );
  await apply(all.filter((name) => name >= SINCE));
  const { rows } = await withClient(superuserUrl, (client) =>
    client.query(`SELECT cached_tokens AS cached, period::text FROM ledger_entries ORDER BY 1`),
  );
  expect(rows).toEqual([0, 3, 10].map((cached) => ({ cached, period: '2026-01-01' })));
  const spend = await withClient(superuserUrl, (client) => client.query(`SELECT month::text, spent_nano_usd FROM monthly_spend`));
  expect(spend.rows).toEqual([{ month: '2026-01-01', spent_nano_usd: '33' }]);
  const forced = await withClient(superuserUrl, (client) =>
    client.query(`SELECT relname FROM pg_class WHERE relname IN ('ledger_entries', 'generations') AND relforcerowsecurity`),
  );
  expect(forced.rows).toHaveLength(2);
});
