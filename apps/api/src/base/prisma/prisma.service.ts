/**
 * The two doors to Postgres. Both log in as `aril_app`; see docs/adr/0002-row-level-security.md.
 */
import { Socket } from 'node:net';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../generated/prisma/client.js';
import { CONFIG, type Config } from '../config/config.js';
import { PoolMetrics } from './pool-metrics.js';
import { statementNames } from './statement-names.js';

const CONNECT_MS_MAX = 10_000;
/** Above what the server itself ends: its word comes first. */
const SILENCE_MS = 2_000;

/**
 * Postgres ends what takes too long, so that a process that stands still with a transaction open does not lock others out
 * for as long as it does. Where nothing comes from Postgres either, the connection is given up: `pg` would wait for as
 * long as TCP tries, a quarter of an hour.
 */
function openPool(config: Config, options: pg.PoolConfig): pg.Pool {
  const timeoutMs = config.DATABASE_TIMEOUT_S * 1_000;
  return new pg.Pool({
    connectionString: config.DATABASE_URL,
    connectionTimeoutMillis: Math.min(CONNECT_MS_MAX, timeoutMs),
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: timeoutMs,
    stream: () => impatientSocket(timeoutMs + SILENCE_MS),
    ...options,
  });
}

/** Not one that the pool keeps idle: it closes those sooner. */
function impatientSocket(silenceMs: number): Socket {
  const socket = new Socket();
  return socket.setTimeout(silenceMs, () => socket.destroy(Object.assign(new Error(`no answer in ${silenceMs} ms`), { code: 'ETIMEDOUT' })));
}

/** What clients on `pool` have in common. */
function clientOn(pool: pg.Pool, { DATABASE_TIMEOUT_S }: Config) {
  const timeout = DATABASE_TIMEOUT_S * 1_000;
  return {
    adapter: new PrismaPg(pool, { disposeExternalPool: true, statementNameGenerator: statementNames() }),
    // Longer messages quote a query's values, which may be a generation's text, into the log.
    errorFormat: 'minimal',
    // Waiting for a connection under load is better than an error. Sign-up hashes the password inside its transaction, which takes a while on a busy machine.
    transactionOptions: { maxWait: Math.min(CONNECT_MS_MAX, timeout), timeout },
  } as const;
}

/** Tenant data. Only `TenantDatabase` may start work on it, because without a tenant nothing is visible. */
@Injectable()
export class PrismaService extends PrismaClient implements OnApplicationShutdown {
  constructor(@Inject(CONFIG) config: Config, metrics: PoolMetrics) {
    const pool = openPool(config, { max: config.DATABASE_CONNECTIONS, application_name: 'aril-api' });
    super(clientOn(metrics.watch('tenant', pool), config));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.$disconnect();
  }
}

/** Identity tables, of all tenants: its connections switch to the role `aril_identity`. For `core/identity` only. */
@Injectable()
export class IdentityPrisma extends PrismaClient implements OnApplicationShutdown {
  constructor(@Inject(CONFIG) config: Config, metrics: PoolMetrics) {
    const max = Math.ceil(config.DATABASE_CONNECTIONS / 5);
    const pool = openPool(config, { max, application_name: 'aril-api-identity', options: '-c role=aril_identity' });
    super(clientOn(metrics.watch('identity', pool), config));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.$disconnect();
  }
}
