/** Postgres, Redis and the object store: embedded by default, the user's own where an address is given. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, describeDiskError } from './failure.mjs';

/** Loaded late: these need the installed dependencies. */
const localServices = () => import('../../packages/local-services/src/index.mjs');

const hostOf = (url) => new URL(url).host;

/** @param {import('./stack.mjs').Context} context @returns {Promise<string>} the owner's URL */
async function providePostgres({ settings, supervisor }) {
  const { ensureDatabase, startPostgres } = await localServices();
  if (settings.databaseUrl) {
    try {
      await ensureDatabase(settings.databaseUrl);
    } catch (error) {
      throw new Failure(
        `DATABASE_URL: the Postgres at ${hostOf(settings.databaseUrl)} refused: ${error.message}.`,
        'Check that it runs and that the user may create databases and roles, or unset DATABASE_URL to use the embedded one.',
      );
    }
    return settings.databaseUrl;
  }
  const dir = join(settings.home, 'postgres');
  const options = { dir, log: join(settings.logs, 'postgres.log') };
  try {
    const first = await supervisor.run('Postgres', () => startPostgres(options));
    // A restart must come back under the address the API already has.
    options.port = first.port;
    return first.url;
  } catch (error) {
    throw serviceFailure('Postgres', error, options.log, dir);
  }
}

/** @param {import('./stack.mjs').Context} context @returns {Promise<string>} */
async function provideRedis({ settings, supervisor }) {
  const { pingRedis, startRedis } = await localServices();
  if (settings.redisUrl) {
    try {
      await pingRedis(settings.redisUrl);
    } catch (error) {
      throw new Failure(
        `REDIS_URL: the Redis at ${hostOf(settings.redisUrl)} refused: ${error.message}.`,
        'Check that it runs and that the password is right, or unset REDIS_URL to use the embedded one.',
      );
    }
    return settings.redisUrl;
  }
  const dir = join(settings.home, 'redis');
  const options = { dir, log: join(settings.logs, 'redis.log'), cacheDir: settings.cache };
  try {
    const first = await supervisor.run('Redis', () => startRedis(options));
    options.port = first.port;
    return first.url;
  } catch (error) {
    throw serviceFailure('Redis', error, options.log, dir);
  }
}

function serviceFailure(name, error, log, dir) {
  const described = describeDiskError(error, dir);
  if (described instanceof Failure) return described;
  return new Failure(
    `${name}: ${error.message}`,
    `Its log is ${log}. If its data is damaged, start over with: npm start -- --reset`,
  );
}

async function prepareDatabase(ownerUrl, password) {
  const { createAppRole, migrate } = await localServices();
  try {
    await migrate({ ownerUrl });
    return await createAppRole({ ownerUrl, password });
  } catch (error) {
    throw new Failure(
      `The database could not be migrated: ${error.message}`,
      'If the data under .aril is from an older state of this clone and not needed: npm start -- --reset',
    );
  }
}

/**
 * @param {import('./stack.mjs').Context} context
 * @returns {Promise<{ databaseUrl: string, redisUrl: string, objects: Record<string, string> }>} databaseUrl is the app role's
 */
export async function provideServices(context) {
  const { settings, secrets } = context;
  const results = await Promise.allSettled([
    providePostgres(context).then((ownerUrl) => prepareDatabase(ownerUrl, secrets.databasePassword)),
    provideRedis(context),
  ]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  const [databaseUrl, redisUrl] = results.map((result) => result.value);
  if (settings.s3) return { databaseUrl, redisUrl, objects: settings.s3 };
  const folder = join(settings.home, 'objects');
  mkdirSync(folder, { recursive: true });
  return { databaseUrl, redisUrl, objects: { OBJECTS_DIR: folder } };
}
