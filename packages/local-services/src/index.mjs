/** The one door of this package: a real Postgres and a real Redis on loopback, and the database made ready. */
export { databaseName, ensureDatabase, freshDatabase, onDatabase, withClient } from './databases.mjs';
export { SCHEMA_ENGINE, migrate, prismaEnvironment } from './migrate.mjs';
export { freePort, isPortFree } from './ports.mjs';
export { startPostgres } from './postgres.mjs';
export { logTail, startProcess, stopLeftover } from './process.mjs';
export { pingRedis, startRedis } from './redis.mjs';
export { APP_ROLE, createAppRole, ensureAppRole } from './roles.mjs';
