/**
 * The two doors to Postgres. Both log in as `aril_app`; see docs/adr/0002-row-level-security.md.
 */
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../generated/prisma/client.js';
import { CONFIG, type Config } from '../config/config.js';
import { PoolMetrics } from './pool-metrics.js';
import { statementNames } from './statement-names.js';

const CONNECT_TIMEOUT_MS = 10_000;

const openPool = (config: Config, options: pg.PoolConfig): pg.Pool =>
  new pg.Pool({ connectionString: config.DATABASE_URL, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...options });

/** Tenant data. Only `TenantDatabase` may start work on it, because without a tenant nothing is visible. */
@Injectable()
export class PrismaService extends PrismaClient implements OnApplicationShutdown {
  constructor(@Inject(CONFIG) config: Config, metrics: PoolMetrics) {
    const pool = openPool(config, { max: config.DATABASE_CONNECTIONS, application_name: 'aril-api' });
    super({
      adapter: new PrismaPg(metrics.watch('tenant', pool), { disposeExternalPool: true, statementNameGenerator: statementNames() }),
      // Longer messages quote a query's values, which may be a generation's text, into the log.
      errorFormat: 'minimal',
      // Waiting for a connection under load is better than an error; a statement has its own limits.
      transactionOptions: { maxWait: 10_000, timeout: 20_000 },
    });
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
    super({
      adapter: new PrismaPg(metrics.watch('identity', pool), { disposeExternalPool: true, statementNameGenerator: statementNames() }),
      errorFormat: 'minimal',
      // Sign-up hashes the password inside its transaction, which takes a while on a busy machine.
      transactionOptions: { maxWait: 10_000, timeout: 20_000 },
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.$disconnect();
  }
}
