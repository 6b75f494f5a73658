/**
 * Whose turn it is in a queue that all tenants share: start-time fair queueing, as the contracts describe it. A tenant
 * who sends hundreds at once has them one after the other in virtual time; one who sends a single request has his turn
 * now. Nobody is told to wait while there is room: what is fair is the order.
 */
import { virtualTimeKey, VIRTUAL_TIME_TTL_S } from '@aril/contracts';
import type { Redis } from 'ioredis';

/** From here on the time begins anew as soon as nobody waits: BullMQ's priorities end at two million. */
const TURN_LATE = 1_000_000;

const TURN_LUA = `
if ARGV[3] == 'anew' then redis.call('DEL', KEYS[1]) end
local now = tonumber(redis.call('HGET', KEYS[1], 'now') or '0')
local free = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local turn = math.max(now, free)
redis.call('HSET', KEYS[1], ARGV[1], turn + ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return turn
`;

export interface TurnRequest {
  baseModelId: string;
  tenantId: string;
  /** How long the turn lasts. */
  choices: number;
}

/** `nobodyWaits` is asked for rarely. */
export async function takeTurn(redis: Redis, request: TurnRequest, nobodyWaits: () => Promise<boolean>): Promise<number> {
  const { baseModelId, tenantId, choices } = request;
  const take = async (how: '' | 'anew'): Promise<number> =>
    (await redis.eval(TURN_LUA, 1, virtualTimeKey(baseModelId), tenantId, choices, how, VIRTUAL_TIME_TTL_S)) as number;
  const turn = await take('');
  return turn < TURN_LATE || !(await nobodyWaits()) ? turn : take('anew');
}
