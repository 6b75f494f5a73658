import { generationFenceKey, generationRunKey, generationStreamKey } from '@aril/contracts';
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/**
 * Appends a generation's events if the fence is still ours. Safe to repeat: an entry that is already there with the
 * same content was written by an attempt whose answer got lost. Everything a generation has to write goes in one call,
 * so its last tokens, its end and its settlement appear together.
 *
 * A fence that is not there at all was never another runner's: Redis has lost it, and all the rest. Who then comes with
 * everything from the first entry on puts it back as it was.
 */
const APPEND_LUA = `
local fence = redis.call('GET', KEYS[1])
if not fence and ARGV[5] == '' then return 'FORGOTTEN' end
if fence and fence ~= ARGV[1] then return 'FENCED' end
if not fence then
  redis.call('SET', KEYS[1], ARGV[1])
  redis.call('HSETNX', KEYS[3], 'takenAtMs', ARGV[5])
end
local last = 0
local tail = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
if tail[1] then last = tonumber(string.match(tail[1][1], '^%d+')) end
for i = 6, #ARGV, 2 do
  local seq = tonumber(ARGV[i])
  local id = ARGV[i] .. '-0'
  if seq <= last then
    local there = redis.call('XRANGE', KEYS[2], id, id)
    if not there[1] or there[1][2][2] ~= ARGV[i + 1] then return 'CONFLICT' end
  elseif seq == last + 1 then
    redis.call('XADD', KEYS[2], id, 'd', ARGV[i + 1])
    last = seq
  else
    return 'GAP'
  end
end
if ARGV[3] ~= '' then redis.call('HSETNX', KEYS[3], 'firstTokenAtMs', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], 'settlement', ARGV[4]) end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return 'WRITTEN'
`;
const APPEND_SHA1 = createHash('sha1').update(APPEND_LUA).digest('hex');

export interface Append {
  generationId: string;
  fence: number;
  ttlMs: number;
  /** When the first of the tokens came from the engine; null without tokens. Kept once per generation. */
  tokensAtMs: number | null;
  /** Set together with an end event. */
  settlementJson: string | null;
  /** When the first runner took the generation, if `entries` is all that was ever written of it; null: the next ones. */
  wholeSince: number | null;
  entries: readonly StreamEntry[];
}

export interface StreamEntry {
  seq: number;
  json: string;
}

/**
 * `fenced`: another runner owns the generation. `retry`: nothing is known to be written, the same again is right.
 * `forgotten`: Redis has not got what was written before. `broken`: Redis holds something else than we wrote; going on would make it worse.
 */
export type AppendResult =
  | { outcome: 'written' | 'fenced' | 'forgotten' }
  | { outcome: 'retry' | 'broken'; reason: string };

/** One pipelined round trip for all generations of the batch. Rejects when the connection fails. */
export async function appendEvents(redis: Redis, batch: Append[]): Promise<AppendResult[]> {
  const pipeline = redis.pipeline();
  for (const append of batch) pipeline.evalsha(APPEND_SHA1, 3, ...argumentsOf(append));
  const replies = (await pipeline.exec()) ?? [];
  const results = batch.map((_, index) => resultOf(replies[index]));
  // A Redis that was restarted or failed over has not seen the script yet: teach it, the caller repeats the batch.
  if (results.some((result) => 'reason' in result && result.reason.startsWith('NOSCRIPT'))) {
    await redis.script('LOAD', APPEND_LUA);
  }
  return results;
}

function argumentsOf(append: Append): (string | number)[] {
  const { generationId, fence, ttlMs, tokensAtMs, settlementJson, wholeSince, entries } = append;
  return [
    generationFenceKey(generationId),
    generationStreamKey(generationId),
    generationRunKey(generationId),
    fence,
    ttlMs,
    tokensAtMs ?? '',
    settlementJson ?? '',
    wholeSince ?? '',
    ...entries.flatMap(({ seq, json }) => [seq, json]),
  ];
}

/** Errors a Redis gives while it starts, fails over, is full or busy: they pass. */
const PASSING = /^(NOSCRIPT|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|OOM|BUSY|UNKILLABLE)\b/;

function resultOf(reply: [Error | null, unknown] | undefined): AppendResult {
  if (!reply) return { outcome: 'retry', reason: 'no reply' };
  const [error, value] = reply;
  if (!error) {
    if (value === 'WRITTEN') return { outcome: 'written' };
    if (value === 'FENCED') return { outcome: 'fenced' };
    if (value === 'FORGOTTEN' || value === 'GAP') return { outcome: 'forgotten' };
    return { outcome: 'broken', reason: String(value) };
  }
  // Replies of Redis carry the ReplyError name; everything else is about the connection.
  const fromRedis = error.name === 'ReplyError';
  return { outcome: fromRedis && !PASSING.test(error.message) ? 'broken' : 'retry', reason: error.message };
}
