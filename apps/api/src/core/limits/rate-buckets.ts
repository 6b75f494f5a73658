/**
 * Rates per minute as leaky buckets (the generic cell rate algorithm, ITU-T I.371): a bucket remembers the time at which
 * it will be empty and holds at most a minute's worth. Who has used nothing may use all of it at once; from there on it
 * comes back evenly, so nobody waits for a window to end. In Redis, on Redis's clock: all copies of the API count together.
 */
import type { Redis } from 'ioredis';

const MINUTE_MS = 60_000;

export interface Charge {
  key: string;
  perMinute: number;
  amount: number;
}

/** Of one bucket, in the order of the charges. */
export interface Level {
  remaining: number;
  /** Until the bucket is empty. */
  resetMs: number;
}

interface Taking {
  /** null: every bucket was charged. Otherwise none was, and this one has to leak the longest. */
  refused: { index: number; waitMs: number } | null;
  levels: Level[];
}

/**
 * What is larger than the whole bucket needs all of it: it is let in when the bucket is empty, and what it used beyond is
 * owed afterwards (`SETTLE_LUA`). Times are milliseconds; a limit that changes keeps how full the bucket is.
 */
const TAKE_LUA = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local backlogs, needs, refused, wait = {}, {}, 0, 0
for i, key in ipairs(KEYS) do
  local per_minute, amount = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local empty_at = tonumber(redis.call('HGET', key, 'empty_at') or '0')
  backlogs[i] = math.max(0, empty_at - now)
  needs[i] = math.min(amount, per_minute) * ${MINUTE_MS} / per_minute
  local over = backlogs[i] + needs[i] - ${MINUTE_MS}
  if over > 0.5 and over > wait then refused, wait = i, over end
end
local answer = { refused, math.ceil(wait) }
for i, key in ipairs(KEYS) do
  if refused == 0 then
    backlogs[i] = backlogs[i] + needs[i]
    redis.call('HSET', key, 'empty_at', string.format('%.3f', now + backlogs[i]), 'per_minute', ARGV[2 * i - 1])
    redis.call('PEXPIRE', key, math.ceil(backlogs[i]) + 1000)
  end
  answer[i + 2] = string.format('%.3f', backlogs[i])
end
return answer
`;

/** ARGV: what was taken, and what was used of it. A bucket that is gone was empty. */
const SETTLE_LUA = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
for _, key in ipairs(KEYS) do
  local bucket = redis.call('HMGET', key, 'empty_at', 'per_minute')
  if bucket[1] then
    local per_minute = tonumber(bucket[2])
    local owed = (tonumber(ARGV[2]) - math.min(tonumber(ARGV[1]), per_minute)) * ${MINUTE_MS} / per_minute
    local empty_at = math.max(tonumber(bucket[1]), now) + owed
    redis.call('HSET', key, 'empty_at', string.format('%.3f', empty_at))
    redis.call('PEXPIRE', key, math.max(1, math.ceil(empty_at - now)) + 1000)
  end
end
`;

/** All of the charges or none. */
export async function take(redis: Redis, charges: readonly Charge[]): Promise<Taking> {
  const keys = charges.map(({ key }) => key);
  const values = charges.flatMap(({ perMinute, amount }) => [perMinute, amount]);
  const answer = (await redis.eval(TAKE_LUA, keys.length, ...keys, ...values)) as (number | string)[];
  const [refused = 0, waitMs = 0, ...backlogs] = answer.map(Number);
  const levels = charges.map(({ perMinute }, index) => {
    const resetMs = backlogs[index] ?? 0;
    // Whole ones, in spite of what division loses.
    const remaining = Math.floor(((MINUTE_MS - resetMs) * perMinute) / MINUTE_MS + 0.001);
    return { resetMs: Math.ceil(resetMs), remaining: Math.max(0, remaining) };
  });
  return { refused: refused === 0 ? null : { index: refused - 1, waitMs }, levels };
}

/** Corrects what was taken to what was used; both are amounts, and less used is given back. */
export async function settle(redis: Redis, keys: readonly string[], taken: number, used: number): Promise<void> {
  if (taken !== used) await redis.eval(SETTLE_LUA, keys.length, ...keys, taken, used);
}
