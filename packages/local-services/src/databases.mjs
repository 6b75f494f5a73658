/** Databases of one server: connection strings that differ in name only, and quick copies for tests. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** @param {string} url @param {string} name The same server and account, another database. */
export function onDatabase(url, name) {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}

/** @param {string} url */
export function databaseName(url) {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

/** @template T @param {string} url @param {(client: pg.Client) => Promise<T>} work @returns {Promise<T>} */
export async function withClient(url, work) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** @param {string} url Creates the database the URL names, if the server does not have it yet. */
export async function ensureDatabase(url) {
  const name = databaseName(url);
  try {
    await withClient(url, (client) => client.query('SELECT 1'));
  } catch (error) {
    // 3D000: invalid_catalog_name. Anything else (a wrong password, no server) is for the caller to see.
    if (error.code !== '3D000') throw error;
    await withClient(onDatabase(url, 'postgres'), (client) =>
      client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE template0`),
    );
  }
}

/**
 * A copy of the migrated database `ownerUrl` names, in well under a second. Nobody may be connected to that
 * one meanwhile: Postgres copies files. Roles and grants are the server's, so `aril_app` works in the copy too.
 * @param {string} ownerUrl
 */
export async function freshDatabase(ownerUrl) {
  const source = databaseName(ownerUrl);
  const name = `${source}_${randomBytes(5).toString('hex')}`;
  const adminUrl = onDatabase(ownerUrl, 'postgres');
  await withClient(adminUrl, (client) =>
    // Copying files beats writing the copy to the log while the database is small and the server is a test's.
    client.query(
      `CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE ${client.escapeIdentifier(source)} STRATEGY file_copy`,
    ),
  );
  const drop = () =>
    withClient(adminUrl, (client) =>
      client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`),
    );
  return { name, url: onDatabase(ownerUrl, name), drop };
}
