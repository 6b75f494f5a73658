import type { RedisService } from '../../base/redis/redis.service.js';

interface Rule {
  window: number;
  max: number;
}

/** Better Auth's attempt counters in Redis, so that all copies of the API count together. Windows are fixed, in seconds. */
export class AuthRateLimit {
  constructor(private readonly redis: RedisService) {}

  consume = async (key: string, { window, max }: Rule): Promise<{ allowed: boolean; retryAfter: number | null }> => {
    const name = `aril:auth-attempts:${key}`;
    const answers = await this.redis.client.multi().set(name, 0, 'EX', window, 'NX').incr(name).ttl(name).exec();
    const [count, ttl] = [answers?.[1]?.[1], answers?.[2]?.[1]].map(Number) as [number, number];
    return count <= max ? { allowed: true, retryAfter: null } : { allowed: false, retryAfter: Math.max(1, ttl) };
  };
}
