import { Inject, Injectable } from '@nestjs/common';
import type { ObjectStore } from '@aril/object-store';
import { PrismaService } from '../../base/prisma/prisma.service.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { OBJECT_STORE } from '../../integrations/object-storage/object-storage.module.js';

export interface Check {
  ok: boolean;
  /** Milliseconds the answer took. */
  ms: number;
  error?: string;
}

/** Shorter than anyone's probe timeout, so that a hanging service is named rather than the probe cut off. */
const CHECK_TIMEOUT_MS = 2_000;

/** Asks every service this process cannot work without. */
@Injectable()
export class HealthService {
  constructor(
    private readonly prisma: PrismaService,
    private readonly redis: RedisService,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  async check(): Promise<{ postgres: Check; redis: Check; objectStore: Check }> {
    const [postgres, redis, objectStore] = await Promise.all([
      measure(() => this.prisma.$queryRaw`SELECT 1`),
      measure(() => this.redis.client.ping()),
      measure(() => this.objects.head('health/probe')),
    ]);
    return { postgres, redis, objectStore };
  }
}

async function measure(probe: () => Promise<unknown>): Promise<Check> {
  const start = performance.now();
  const elapsed = (): number => Math.round(performance.now() - start);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([probe(), timeout]);
    return { ok: true, ms: elapsed() };
  } catch (error) {
    return { ok: false, ms: elapsed(), error: summary(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** Anyone may ask, so no addresses and no stack: the first line, cut. */
function summary(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  if (code) return code;
  return error instanceof Error && error.message.startsWith('no answer') ? error.message : 'unreachable';
}
