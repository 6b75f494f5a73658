/**
 * The role the API connects as. It owns nothing, may bypass nothing, and so is held by row-level security;
 * only migrations run as the owner.
 */
import pg from 'pg';
import { databaseName, withClient } from './databases.mjs';

export const APP_ROLE = 'aril_app';
/** Any number will do; it keeps two starts from altering the role at once, which Postgres answers with an error. */
const ROLE_LOCK = 4_157_001;

async function inLockedTransaction(url, work) {
  await withClient(url, async (client) => {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [ROLE_LOCK]);
    await work(client);
    await client.query('COMMIT');
  });
}

async function ensureRole(client) {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [APP_ROLE]);
  if (!rowCount) await client.query(`CREATE ROLE ${APP_ROLE} NOLOGIN`);
}

/** A role of that name that someone made elsewhere could undo row-level security; it is refused, not repaired. */
async function refusePowers(client) {
  const { rows } = await client.query('SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = $1', [
    APP_ROLE,
  ]);
  const powers = [rows[0].rolsuper && 'SUPERUSER', rows[0].rolbypassrls && 'BYPASSRLS'].filter(Boolean);
  if (powers.length > 0)
    throw new Error(
      `The role ${APP_ROLE} has ${powers.join(' and ')}, which defeats row-level security; expected neither.`,
    );
}

/** @param {string} ownerUrl The role must exist before migrations, which grant to it and write policies for it. */
export async function ensureAppRole(ownerUrl) {
  await inLockedTransaction(ownerUrl, ensureRole);
}

/**
 * Lets `aril_app` log in with `password` to the database `ownerUrl` names. What it may do there is for migrations
 * to grant: it must not read password hashes and sessions, which only the role `aril_identity` may.
 * @param {{ ownerUrl: string, password: string }} options @returns {Promise<string>} the URL the API connects with
 */
export async function createAppRole({ ownerUrl, password }) {
  await inLockedTransaction(ownerUrl, async (client) => {
    await ensureRole(client);
    await refusePowers(client);
    await client.query(`ALTER ROLE ${APP_ROLE} LOGIN PASSWORD ${pg.escapeLiteral(password)}`);
    await client.query(
      `GRANT CONNECT ON DATABASE ${client.escapeIdentifier(databaseName(ownerUrl))} TO ${APP_ROLE}`,
    );
  });
  const url = new URL(ownerUrl);
  url.username = APP_ROLE;
  url.password = encodeURIComponent(password);
  return url.href;
}
