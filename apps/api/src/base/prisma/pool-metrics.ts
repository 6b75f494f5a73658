import { Gauge, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';

/** How far the connections to Postgres are used, read from their pools when somebody asks. */
@Injectable()
export class PoolMetrics {
  private readonly pools = new Map<string, Pool>();

  constructor(registry: Registry) {
    const { pools } = this;
    new Gauge({
      name: 'aril_api_database_connections',
      help: 'Connections to Postgres by pool: open, idle among them, at most (limit), and requests that wait for one.',
      labelNames: ['pool', 'kind'],
      registers: [registry],
      collect() {
        for (const [pool, { totalCount: open, idleCount: idle, waitingCount: waiting, options: { max: limit } }] of pools) {
          for (const [kind, count] of Object.entries({ open, idle, waiting, limit })) this.set({ pool, kind }, count);
        }
      },
    });
  }

  watch(name: 'tenant' | 'identity', pool: Pool): Pool {
    this.pools.set(name, pool);
    return pool;
  }
}
