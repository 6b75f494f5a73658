/**
 * A real Postgres on loopback, in a folder. The folder holds `data` (the cluster), `password`, `port`,
 * `postgres.pid` and, unless told otherwise, `postgres.log`. Connections need the password; there is no socket file.
 */
import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { serverAccount } from './account.mjs';
import { freePort, isPortFree } from './ports.mjs';
import { postgresPrograms } from './postgres-programs.mjs';
import { SETPRIV, logTail, startProcess, stopLeftover } from './process.mjs';
import { keptPort, secretIn } from './secret.mjs';

const run = promisify(execFile);
const USER = 'aril_owner';
const START_TIMEOUT_MS = 60_000;

/** The cluster is renamed into place when it is whole, so its presence is enough. */
const isInitialised = (data) => existsSync(join(data, 'PG_VERSION'));

async function initialise(programs, folder, data, password) {
  // A crash half way leaves a folder initdb would refuse, so the cluster is made aside and renamed into place.
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  const account = serverAccount(fresh, programs.root);
  const passwordFile = join(folder, 'initdb-password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account) chownSync(passwordFile, account.uid, account.gid);
  const args = [
    `--pgdata=${fresh}`,
    `--username=${USER}`,
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    // The C library's locales differ from machine to machine; the built-in provider's do not.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
  const [command, ...rest] = account
    ? [SETPRIV, ...account.setpriv, programs.initdb, ...args]
    : [programs.initdb, ...args];
  try {
    await run(command, rest, { cwd: folder, env: { ...process.env, LC_ALL: 'C' } });
  } catch (error) {
    const reason = (error.stderr || error.message).trim();
    throw new Error(`initdb could not create a Postgres cluster in ${fresh}: ${reason}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, data);
}

async function canConnect(url) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function waitUntilReady(server, url) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (server.isRunning()) {
    if (await canConnect(url)) return;
    if (Date.now() > deadline) break;
    await sleep(50);
  }
  await server.stop();
  throw new Error(`Postgres did not start; the end of ${server.log}:\n${logTail(server.log)}`);
}

/** Settings of the server. Tests may trade durability for speed: their data is thrown away anyway. */
function serverArguments(data, port, durable) {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', data, '-p', String(port), ...flags];
}

async function choosePort(portFile) {
  const kept = keptPort(portFile);
  return kept && (await isPortFree(kept)) ? kept : freePort();
}

async function ensureDatabase(adminUrl, name) {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (!rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE template0`);
  } finally {
    await client.end();
  }
}

/**
 * Starts Postgres in `dir`, creating the cluster the first time. The URL is that of the owner, a superuser.
 * A server that an earlier, killed start left running in the same folder is stopped first.
 * @param {{ dir: string, port?: number, log?: string, database?: string, durable?: boolean }} options
 */
export async function startPostgres({ dir, port, log, database = 'aril', durable = true }) {
  const folder = resolve(dir);
  mkdirSync(folder, { recursive: true });
  const programs = postgresPrograms();
  const data = join(folder, 'data');
  const portFile = join(folder, 'port');
  const pidFile = join(folder, 'postgres.pid');
  await stopLeftover(pidFile, 'SIGINT', 20_000);
  // No server of ours is left, so a lock file in the cluster names a process that is gone or a stranger.
  rmSync(join(data, 'postmaster.pid'), { force: true });
  const password = secretIn(join(folder, 'password'));
  if (!isInitialised(data)) await initialise(programs, folder, data, password);
  const account = serverAccount(data, programs.root);
  for (let attempt = 1; ; attempt++) {
    const chosen = port ?? (await choosePort(portFile));
    const server = startProcess({
      command: programs.postgres,
      args: serverArguments(data, chosen, durable),
      cwd: folder,
      env: { ...process.env, LC_ALL: 'C' },
      log: log ?? join(folder, 'postgres.log'),
      pidFile,
      // SIGINT is Postgres's fast shutdown: sessions end now, and everything committed is written.
      stopSignal: 'SIGINT',
      graceMs: 30_000,
      setpriv: account?.setpriv,
    });
    const address = `postgresql://${USER}:${password}@127.0.0.1:${chosen}`;
    try {
      await waitUntilReady(server, `${address}/postgres`);
    } catch (error) {
      const taken = /could not bind|Address already in use/.test(logTail(server.log, 5));
      if (port === undefined && taken && attempt < 5) continue;
      throw error;
    }
    writeFileSync(portFile, `${chosen}\n`);
    await ensureDatabase(`${address}/postgres`, database);
    return {
      url: `${address}/${database}`,
      port: chosen,
      log: server.log,
      exited: server.exited,
      stop: server.stop,
    };
  }
}
