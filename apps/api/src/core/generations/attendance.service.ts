/**
 * Which API process answers which generation. When one dies, the answers that went through its connections are lost, and
 * nobody can ask for them again: what is still generated for them is stopped, as if the callers had left.
 */
import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { RedisService } from '../../base/redis/redis.service.js';
import type { GenerationKey } from '../../models/generation.model.js';
import { GenerationMetrics } from './generation-metrics.js';
import { GenerationService } from './generation.service.js';

/** Hash: generation id → JSON of who answers it. */
const ATTENDED_KEY = 'aril:api:attended';
const aliveKey = (processId: string): string => `aril:api:${processId}:alive`;

const BEAT_EVERY_MS = 10_000;
/** A process that has not been heard of for so long is dead: one that only hangs has lost its callers by then. */
const ALIVE_S = 60;

interface Attendance {
  tenantId: string;
  processId: string;
}

@Injectable()
export class AttendanceService implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(AttendanceService.name);
  readonly processId = randomUUID();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly redis: RedisService,
    private readonly generations: GenerationService,
    private readonly metrics: GenerationMetrics,
  ) {}

  onModuleInit(): void {
    const beat = (): void => this.quietly(this.redis.client.set(aliveKey(this.processId), '1', 'EX', ALIVE_S));
    this.timer = setInterval(beat, BEAT_EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Before its job is added, on the same connection: a generation that runs is known to be attended. */
  begin({ tenantId, id }: GenerationKey): void {
    const attendance: Attendance = { tenantId, processId: this.processId };
    const both = this.redis.client.multi().set(aliveKey(this.processId), '1', 'EX', ALIVE_S);
    this.quietly(both.hset(ATTENDED_KEY, id, JSON.stringify(attendance)).exec());
  }

  end({ id }: GenerationKey): void {
    this.quietly(this.redis.client.hdel(ATTENDED_KEY, id));
  }

  /** Stops what dead processes attended. */
  async sweep(): Promise<void> {
    const all = Object.entries(await this.redis.client.hgetall(ATTENDED_KEY)).map(([id, json]) => ({ id, ...(JSON.parse(json) as Attendance) }));
    const processes = [...new Set(all.map(({ processId }) => processId))];
    const alive = await Promise.all(processes.map((processId) => this.redis.client.exists(aliveKey(processId))));
    const dead = new Set(processes.filter((_, index) => alive[index] === 0));
    for (const { id, tenantId } of all.filter(({ processId }) => dead.has(processId))) {
      await this.generations.abandon({ tenantId, id });
      await this.redis.client.hdel(ATTENDED_KEY, id);
      this.metrics.noteSwept('API_LOST');
      this.logger.warn({ generationId: id, tenantId }, 'stopped a generation whose API process is gone');
    }
  }

  /** Nobody waits for it: without it a generation whose API dies is generated to its end, and that is all. */
  private quietly(command: Promise<unknown>): void {
    command.catch((error: unknown) => this.logger.debug({ err: error }, 'attendance was not written'));
  }
}
