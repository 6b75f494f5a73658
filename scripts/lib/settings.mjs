/** What the environment and the command line say, read once. Every variable is described in .env.example. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.mjs';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const S3_VARIABLES = [
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_BUCKET',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
  'S3_FORCE_PATH_STYLE',
];

/** @param {NodeJS.ProcessEnv} env */
function readPort(env, name, fallback) {
  const text = env[name];
  if (!text) return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new Failure(
    `${name}: found "${text}"; expected a port number, or 0 for any free port.`,
    `Set ${name} to a number from 0 to 65535, or unset it.`,
  );
}

/** @param {NodeJS.ProcessEnv} env @param {string[]} protocols */
function readUrl(env, name, protocols) {
  const text = env[name];
  if (!text) return null;
  const example = `${protocols[0]}//user:password@host:port/…`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && protocols.includes(url.protocol)) return text;
  throw new Failure(
    `${name} is not a ${protocols[0]}// address.`,
    `Set it to something like ${example}, or unset it to use the embedded service.`,
  );
}

export function canWrite(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A plain user may have no home at all (`nobody`), or one that is not theirs; the cache then stays in the clone. */
function chooseCache(env, home) {
  if (env.ARIL_CACHE) return resolve(env.ARIL_CACHE);
  const shared = join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'aril');
  return canWrite(shared) ? shared : join(home, 'cache');
}

function readS3(env) {
  const s3 = Object.fromEntries(S3_VARIABLES.filter((name) => env[name]).map((name) => [name, env[name]]));
  if (Object.keys(s3).length === 0) return null;
  if (s3.S3_BUCKET) return s3;
  throw new Failure(
    'S3_BUCKET is not set, but other S3_* variables are.',
    'Set S3_BUCKET, or unset the others to keep objects in a folder.',
  );
}

/**
 * @typedef {ReturnType<typeof readSettings>} Settings
 * @param {NodeJS.ProcessEnv} env @param {string[]} args
 */
export function readSettings(env = process.env, args = process.argv.slice(2)) {
  const unknown = args.filter((arg) => !['--reset', '--help', '-h'].includes(arg));
  if (unknown.length > 0)
    throw new Failure(`Unknown option ${unknown[0]}.`, 'npm start -- --help shows the options.');
  const home = resolve(env.ARIL_HOME || join(REPOSITORY, '.aril'));
  return {
    repository: REPOSITORY,
    home,
    cache: chooseCache(env, home),
    logs: join(home, 'logs'),
    reset: args.includes('--reset'),
    help: args.includes('--help') || args.includes('-h'),
    apiPort: readPort(env, 'API_PORT', 4000),
    portalPort: readPort(env, 'PORTAL_PORT', 3000),
    databaseUrl: readUrl(env, 'DATABASE_URL', ['postgresql:', 'postgres:']),
    redisUrl: readUrl(env, 'REDIS_URL', ['redis:', 'rediss:']),
    s3: readS3(env),
    modelPath: env.MODEL_PATH ? resolve(env.MODEL_PATH) : null,
  };
}

/** A home that cannot be written (`nobody` has none) breaks tools that want to cache something there. @param {Settings} settings */
export function provideHome(settings) {
  if (process.env.HOME && canWrite(process.env.HOME)) return;
  process.env.HOME = join(settings.home, 'cache', 'home');
  mkdirSync(process.env.HOME, { recursive: true });
}
