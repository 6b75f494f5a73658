/** What the runner has written about a generation, read past the API. */
import { generationStreamKey } from '@aril/contracts';
import type { Redis } from 'ioredis';

interface End {
  type: 'end';
  completionTokens: number;
}

/** The end event of a generation's stream, once it is there. */
export async function endOf(redis: Redis, generationId: string): Promise<End | null> {
  const [last] = await redis.xrevrange(generationStreamKey(generationId), '+', '-', 'COUNT', 1);
  if (!last) return null;
  const [, [, json]] = last as [string, [string, string]];
  const event = JSON.parse(json) as { type: string };
  return event.type === 'end' ? (event as End) : null;
}
