/**
 * How far back Redis remembers. One that comes back without its data has forgotten every job that waited, and nothing in
 * it says so; a note that is missing does. Runners find it out in the same way, and write again what they work on.
 */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { RedisService } from './redis.service.js';

/** Milliseconds since the epoch, as text: when an API process first saw this Redis. */
const SINCE_KEY = 'aril:api:remembers-since';
const LOOK_EVERY_MS = 5_000;
/** From the loss on, runners have so long to write again what they know: two of their heartbeats. */
export const RESTORED_WITHIN_MS = 10_000;

@Injectable()
export class RedisMemory implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(RedisMemory.name);
  private readonly listeners = new Set<() => void>();
  private readonly waiting = new Set<NodeJS.Timeout>();
  private timer: NodeJS.Timeout | undefined;
  private lastSince: number | null = null;

  constructor(private readonly redis: RedisService) {}

  onModuleInit(): void {
    const look = (): void => void this.since().catch((error: unknown) => this.logger.debug({ err: error }, 'Redis could not be looked at'));
    this.timer = setInterval(look, LOOK_EVERY_MS).unref();
    this.redis.client.on('ready', look);
    look();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    for (const timer of this.waiting) clearTimeout(timer);
  }

  /** Calls `listener` when what is still missing after a loss is lost for good. */
  onLost(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** What is older than this, and was only in Redis, is there because a runner has written it again, or not at all. */
  async since(): Promise<number> {
    await this.redis.client.set(SINCE_KEY, Date.now(), 'NX');
    const since = Number(await this.redis.client.get(SINCE_KEY));
    if (this.lastSince !== null && since !== this.lastSince) this.tell();
    this.lastSince = since;
    return since;
  }

  private tell(): void {
    this.logger.warn('Redis has lost its data');
    const timer = setTimeout(() => {
      this.waiting.delete(timer);
      for (const listener of this.listeners) listener();
    }, RESTORED_WITHIN_MS).unref();
    this.waiting.add(timer);
  }
}
