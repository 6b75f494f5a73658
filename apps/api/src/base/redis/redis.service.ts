import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';
import { CONFIG, type Config } from '../config/config.js';

/** A request that needs Redis fails after this instead of waiting for its return. */
export const COMMAND_MS_MAX = 10_000;

/**
 * Connections to Redis. `client` is shared by everything that neither blocks nor subscribes; whoever does takes a
 * connection of its own from `connect`. All are closed when the application shuts down.
 */
@Injectable()
export class RedisService implements OnApplicationShutdown {
  private readonly logger = new Logger(RedisService.name);
  private readonly connections: Redis[] = [];
  readonly client: Redis;

  constructor(@Inject(CONFIG) private readonly config: Config) {
    this.client = this.connect('shared', { commandTimeout: COMMAND_MS_MAX });
  }

  /** BullMQ and blocking reads wait for a lost server rather than fail, hence `maxRetriesPerRequest: null`. */
  connect(name: string, options: RedisOptions = {}): Redis {
    const connection = new Redis(this.config.REDIS_URL, {
      connectionName: `aril-api:${name}`,
      maxRetriesPerRequest: null,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
      ...options,
    });
    connection.on('error', (error: Error) => this.logger.warn(`Redis connection "${name}": ${error.message}`));
    this.connections.push(connection);
    return connection;
  }

  onApplicationShutdown(): void {
    for (const connection of this.connections) connection.disconnect();
  }
}
