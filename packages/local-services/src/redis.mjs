/**
 * A real Redis on loopback, in a folder: every write is appended to disk, and nothing is evicted, because queues
 * and streams are not a cache. The folder holds `redis.conf` (with the password, so that it is not in the
 * process list), `data`, `password`, `port`, `redis.pid` and, unless told otherwise, `redis.log`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort, isPortFree } from './ports.mjs';
import { logTail, startProcess, stopLeftover } from './process.mjs';
import { redisProgram } from './redis-program.mjs';
import { keptPort, secretIn } from './secret.mjs';

const START_TIMEOUT_MS = 30_000;

function configuration({ port, dir, password, durable }) {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir "${dir}"`,
    `requirepass ${password}`,
    `appendonly ${durable ? 'yes' : 'no'}`,
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    '',
  ].join('\n');
}

/** @param {string} url Throws what is wrong; a server that is still reading its file answers LOADING, which throws too. */
export async function pingRedis(url) {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
  });
  // The promise below carries only "Connection is closed."; the cause comes as an event.
  let cause;
  client.on('error', (error) => (cause ??= error));
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw cause ?? error;
  } finally {
    client.disconnect();
  }
}

const answersPing = (url) =>
  pingRedis(url).then(
    () => true,
    () => false,
  );

async function waitUntilReady(server, url) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (server.isRunning() && Date.now() < deadline) {
    if (await answersPing(url)) return;
    await sleep(25);
  }
  await server.stop();
  throw new Error(`Redis did not start; the end of ${server.log}:\n${logTail(server.log)}`);
}

/** @param {string} portFile */
async function choosePort(portFile) {
  const kept = keptPort(portFile);
  return kept && (await isPortFree(kept)) ? kept : freePort();
}

/**
 * Starts Redis in `dir`. A server that an earlier, killed start left running in the same folder is stopped first.
 * @param {{ dir: string, port?: number, log?: string, cacheDir?: string, durable?: boolean }} options
 */
export async function startRedis({ dir, port, log, cacheDir, durable = true }) {
  const folder = resolve(dir);
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const portFile = join(folder, 'port');
  const pidFile = join(folder, 'redis.pid');
  const config = join(folder, 'redis.conf');
  await stopLeftover(pidFile);
  const program = await redisProgram(cacheDir);
  const password = secretIn(join(folder, 'password'));
  for (let attempt = 1; ; attempt++) {
    const chosen = port ?? (await choosePort(portFile));
    writeFileSync(config, configuration({ port: chosen, dir: data, password, durable }), { mode: 0o600 });
    const server = startProcess({
      command: program.command,
      args: [config],
      cwd: folder,
      env: program.env,
      log: log ?? join(folder, 'redis.log'),
      pidFile,
    });
    const url = `redis://:${password}@127.0.0.1:${chosen}/0`;
    try {
      await waitUntilReady(server, url);
    } catch (error) {
      const taken = /Address already in use/.test(logTail(server.log, 5));
      if (port === undefined && taken && attempt < 5) continue;
      throw error;
    }
    writeFileSync(portFile, `${chosen}\n`);
    return {
      url,
      port: chosen,
      version: program.version,
      log: server.log,
      exited: server.exited,
      stop: server.stop,
    };
  }
}
