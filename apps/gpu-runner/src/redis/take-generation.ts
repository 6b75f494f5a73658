import {
  generationCancelKey,
  generationEventSchema,
  generationFenceKey,
  generationRunKey,
  generationStreamKey,
  type GenerationEvent,
} from '@aril/contracts';
import type { Redis } from 'ioredis';
import type { StreamEntry } from './append-events.js';

/**
 * Takes a generation over, in one step for everybody: from here on only this fence may write, and what is read is all
 * that was ever written under earlier ones.
 */
const TAKE_LUA = `
local fence = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('HSETNX', KEYS[4], 'takenAtMs', ARGV[1])
redis.call('PEXPIRE', KEYS[4], ARGV[2])
local run = redis.call('HMGET', KEYS[4], 'takenAtMs', 'firstTokenAtMs', 'settlement', 'handedBack')
return {fence, redis.call('EXISTS', KEYS[2]), run, redis.call('XRANGE', KEYS[3], '-', '+')}
`;

export interface TakenGeneration {
  fence: number;
  cancelled: boolean;
  /** How many of the earlier runners gave it back of their own accord. */
  handedBack: number;
  /** When the first runner took it. */
  takenAtMs: number;
  firstTokenAtMs: number | null;
  /** What an earlier runner decided to report; it ended the stream in the same step. */
  settlementJson: string | null;
  /** Events of earlier runners, by sequence number, and as they are in the stream. */
  events: GenerationEvent[];
  entries: StreamEntry[];
}

type Reply = [number, number, [string, string | null, string | null, string | null], [string, [string, string]][]];

export async function takeGeneration(redis: Redis, generationId: string, ttlMs: number): Promise<TakenGeneration> {
  const keys = [
    generationFenceKey(generationId),
    generationCancelKey(generationId),
    generationStreamKey(generationId),
    generationRunKey(generationId),
  ];
  const reply = (await redis.eval(TAKE_LUA, keys.length, ...keys, Date.now(), ttlMs)) as Reply;
  const [fence, cancelled, [takenAtMs, firstTokenAtMs, settlementJson, handedBack], entries] = reply;
  return {
    fence,
    cancelled: cancelled === 1,
    handedBack: Number(handedBack),
    takenAtMs: Number(takenAtMs),
    firstTokenAtMs: firstTokenAtMs === null ? null : Number(firstTokenAtMs),
    settlementJson,
    events: entries.map(([, [, json]]) => generationEventSchema.parse(JSON.parse(json))),
    entries: entries.map(([id, [, json]]) => ({ seq: Number.parseInt(id, 10), json })),
  };
}
