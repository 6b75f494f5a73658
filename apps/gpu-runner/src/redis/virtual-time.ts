import { virtualTimeKey, VIRTUAL_TIME_TTL_S } from '@aril/contracts';
import type { Redis } from 'ioredis';

const ADVANCE_LUA = `
local now = tonumber(redis.call('HGET', KEYS[1], 'now') or '0')
if tonumber(ARGV[1]) > now then redis.call('HSET', KEYS[1], 'now', ARGV[1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
`;

/** Somebody whose turn is `turn` is served: who comes from now on is not before him. */
export async function advanceVirtualTime(redis: Redis, baseModelId: string, turn: number): Promise<void> {
  await redis.eval(ADVANCE_LUA, 1, virtualTimeKey(baseModelId), turn, VIRTUAL_TIME_TTL_S);
}
