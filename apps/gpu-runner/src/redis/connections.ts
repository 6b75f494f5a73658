import type { ConnectionOptions } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../logging.js';

/** Reconnects for ever, soon at first; two seconds keeps the pause after a failover short. */
const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), 2000);

/** BullMQ builds its own connections from this. Commands wait for Redis instead of failing: jobs outlive outages. */
export const queueConnection = (url: string): ConnectionOptions => ({
  url,
  maxRetriesPerRequest: null,
  retryStrategy,
});

/** For takes, heartbeats and peeks: commands wait until Redis is back. */
export function patientRedis(url: string, logger: Logger, name: string): Redis {
  return observed(new Redis(url, { maxRetriesPerRequest: null, retryStrategy, connectionName: `aril:${name}` }), logger, name);
}

/**
 * For the stream writer, which must know at once that Redis is away, because it decides itself what to send again.
 * Nothing is queued while disconnected and nothing is resent behind its back.
 */
export function strictRedis(url: string, logger: Logger, name: string): Redis {
  const options: RedisOptions = {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy,
    connectionName: `aril:${name}`,
  };
  return observed(new Redis(url, options), logger, name);
}

function observed(redis: Redis, logger: Logger, name: string): Redis {
  redis.on('error', (error: Error) => logger.warn({ connection: name, error: error.message }, 'Redis connection failed'));
  return redis;
}
