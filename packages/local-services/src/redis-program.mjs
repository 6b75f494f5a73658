/**
 * The Redis server program: the system's if it is new enough, else the distribution's package unpacked into the
 * cache. Valkey is the same server under another name and speaks the same protocol.
 */
import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { libraryPath, unpackPackages } from './apt.mjs';
import { findProgram } from './find-program.mjs';

const run = promisify(execFile);
/** BullMQ's scripts need commands of Redis 6.2. */
const VERSION_MIN = [6, 2];

/** @typedef {{ command: string, env: NodeJS.ProcessEnv, version: string }} RedisProgram */

/** Where distributions put servers, which a plain user's PATH may leave out. */
const SYSTEM_FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin'];

/** @returns {Promise<string | null>} null if it does not run here (a missing library, another architecture) */
async function versionOf(command, env) {
  try {
    const { stdout } = await run(command, ['--version'], { env });
    return /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
}

/** @returns {Promise<RedisProgram | null>} */
async function usable(command, env) {
  const version = command ? await versionOf(command, env) : null;
  return version && isNewEnough(version) ? { command, env, version } : null;
}

async function fromPackages(cacheDir) {
  const root = await unpackPackages({
    packages: ['redis-server', 'redis-tools'],
    folder: join(cacheDir, 'redis'),
  });
  const env = { ...process.env, LD_LIBRARY_PATH: libraryPath(root) };
  return (
    (await usable(join(root, 'usr/bin/redis-server'), env)) ??
    (await usable(join(root, 'usr/bin/redis-check-rdb'), env))
  );
}

/** @param {string} [cacheDir] @returns {Promise<RedisProgram>} */
export async function redisProgram(cacheDir = process.env.ARIL_CACHE ?? join(homedir(), '.cache', 'aril')) {
  for (const name of ['redis-server', 'valkey-server']) {
    const found = await usable(findProgram(name, SYSTEM_FOLDERS), process.env);
    if (found) return found;
  }
  let cause = 'the unpacked program does not run';
  try {
    const unpacked = await fromPackages(cacheDir);
    if (unpacked) return unpacked;
  } catch (error) {
    cause = (error.stderr || error.message).trim();
  }
  throw new Error(
    `No Redis ${VERSION_MIN.join('.')} or newer was found, and the package redis-server could not be unpacked ` +
      `(${cause}). Install it (apt-get install -y redis-server), or set REDIS_URL to a Redis of your own.`,
  );
}
