/** Reads the Redis Stream of one generation, at once and without blocking. */
import { ArilError, generationEventSchema, generationStreamKey, type GenerationEvent } from '@aril/contracts';
import type { Redis } from 'ioredis';
import { parseJson } from '../../../base/parse-json.js';

export type StreamEntry = [id: string, fields: string[]];

export function parseEntry(entry: StreamEntry): GenerationEvent {
  const [id, fields] = entry;
  const json = fields[fields.indexOf('d') + 1] ?? '';
  const parsed = generationEventSchema.safeParse(parseJson(json));
  // The content may be a customer's text, so the message says where it is and not what it is.
  if (!parsed.success) throw new ArilError('INTERNAL', `stream entry ${id} does not hold an event`);
  return parsed.data;
}

/** Events with numbers after `after`, at most `max` of them. */
export async function readEvents(redis: Redis, generationId: string, after = 0, max = Number.MAX_SAFE_INTEGER): Promise<GenerationEvent[]> {
  const entries = (await redis.xrange(generationStreamKey(generationId), `(${after}-0`, '+', 'COUNT', max)) as StreamEntry[];
  return entries.map(parseEntry);
}

export async function lastEvent(redis: Redis, generationId: string): Promise<GenerationEvent | null> {
  const key = generationStreamKey(generationId);
  const entries = (await redis.xrevrange(key, '+', '-', 'COUNT', 1)) as StreamEntry[];
  return entries[0] ? parseEntry(entries[0]) : null;
}
