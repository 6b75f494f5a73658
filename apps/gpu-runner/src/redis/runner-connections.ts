import type { GenerationJob, Settlement } from '@aril/contracts';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Config } from '../config.js';
import type { Logger } from '../logging.js';
import { patientRedis, strictRedis } from './connections.js';
import { openGenerationQueue, openSettlementQueue } from './queues.js';

/** Every connection of a runner besides the job worker's own two. */
export interface RunnerConnections {
  commands: Redis;
  stream: Redis;
  subscriber: Redis;
  settlements: Queue<Settlement>;
  generations: Queue<GenerationJob>;
}

export function openConnections(config: Config, logger: Logger): RunnerConnections {
  const url = config.REDIS_URL;
  return {
    commands: patientRedis(url, logger, 'runner'),
    stream: strictRedis(url, logger, 'stream'),
    subscriber: patientRedis(url, logger, 'cancel'),
    settlements: openSettlementQueue(url, logger),
    generations: openGenerationQueue(url, config.BASE_MODEL_ID, logger),
  };
}

/** Does not wait for a Redis that is away: at the end of a process there is nothing to wait for. */
export async function closeConnections(connections: RunnerConnections): Promise<void> {
  const { commands, stream, subscriber, settlements, generations } = connections;
  for (const redis of [commands, stream, subscriber]) redis.disconnect();
  await Promise.allSettled([settlements.close(), generations.close()]);
}

/** Whether Redis answers now. */
export async function answers(redis: Redis): Promise<boolean> {
  if (redis.status !== 'ready') return false;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), 1000)));
  try {
    return await Promise.race([redis.ping().then(() => true, () => false), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
