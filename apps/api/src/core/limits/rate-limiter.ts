/** Holds requests to the rates of their tenant and key: which buckets there are, and what is said of a full one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { RedisService } from '../../base/redis/redis.service.js';
import type { Limits } from '../../models/limit.model.js';
import { settle, take, type Charge } from './rate-buckets.js';

type RateUnit = 'requests' | 'tokens';

/** How far a rate is used, for those who ask for it in headers. */
export interface RateStatus {
  unit: RateUnit;
  limit: number;
  remaining: number;
  /** Until all of it is there again. */
  resetMs: number;
}

/** Whom limits are of; `apiKeyId` null: the tenant. */
export interface RateScope {
  apiKeyId: string | null;
  /** In the words of an error. */
  name: string;
  limits: Limits;
}

interface Bucket extends Charge {
  unit: RateUnit;
  name: string;
}

interface Holder {
  tenantId: string;
  apiKeyId: string | null;
}

/** A transaction waits for the answer, so a Redis that hangs is not waited for as long as elsewhere. */
const ANSWER_MS_MAX = 2_000;

@Injectable()
export class RateLimiter {
  private readonly logger = new Logger(RateLimiter.name);

  constructor(private readonly redis: RedisService) {}

  /**
   * Takes one request and its tokens from every bucket that there is, or nothing from any. `tell` hears how full they
   * are either way.
   * @throws ArilError RATE_LIMITED, OVERLOADED
   */
  async take(tenantId: string, scopes: readonly RateScope[], tokens: number, tell: (rates: RateStatus[]) => void): Promise<void> {
    const buckets = scopes.flatMap((scope) => bucketsOf(tenantId, scope, tokens));
    if (buckets.length === 0) return;
    const { refused, levels } = await this.inTime(take(this.redis.client, buckets));
    tell(buckets.map(({ unit, perMinute: limit }, index) => ({ unit, limit, remaining: 0, resetMs: 0, ...levels[index] })));
    const bucket = refused && buckets[refused.index];
    if (bucket) throw rateLimited(bucket, refused.waitMs);
  }

  private async inTime<T>(answer: Promise<T>): Promise<T> {
    const answered = new AbortController();
    const late = sleep(ANSWER_MS_MAX, undefined, { signal: answered.signal }).then(() => {
      throw new ArilError('OVERLOADED', 'The rate limits cannot be checked at the moment. Try again later.');
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      answered.abort();
    }
  }

  /** Of tokens that were taken for a request: those it has not used are given back. */
  settleTokens(holder: Holder, taken: number, used: number): void {
    if (taken > 0) this.settle(holder, 'tokens', taken, used);
  }

  /** For a request that was refused after all. */
  giveBack(holder: Holder, tokens: number): void {
    this.settle(holder, 'requests', 1, 0);
    this.settleTokens(holder, tokens, 0);
  }

  /** Not waited for: whatever is not given back leaks away within a minute. */
  private settle({ tenantId, apiKeyId }: Holder, unit: RateUnit, taken: number, used: number): void {
    const keys = [bucketKey(tenantId, null, unit), ...(apiKeyId === null ? [] : [bucketKey(tenantId, apiKeyId, unit)])];
    settle(this.redis.client, keys, taken, used).catch((error: unknown) => {
      this.logger.debug({ err: error, tenantId }, 'what a request did not use of its rates was not given back');
    });
  }
}

/** The braces keep a tenant's buckets on one node of a Redis cluster. */
const bucketKey = (tenantId: string, apiKeyId: string | null, unit: RateUnit): string =>
  `aril:rate:{${tenantId}}:${apiKeyId ?? 'tenant'}:${unit}`;

function bucketsOf(tenantId: string, { apiKeyId, name, limits }: RateScope, tokens: number): Bucket[] {
  const rates = [
    { unit: 'requests' as const, perMinute: limits.requestsPerMinute, amount: 1 },
    { unit: 'tokens' as const, perMinute: limits.tokensPerMinute, amount: tokens },
  ];
  return rates.flatMap(({ unit, perMinute, amount }) =>
    perMinute === null ? [] : [{ key: bucketKey(tenantId, apiKeyId, unit), unit, name, perMinute, amount }],
  );
}

function rateLimited({ unit, name, perMinute, amount }: Bucket, waitMs: number): ArilError {
  const needed = unit === 'tokens' ? `, this request can use ${amount}` : '';
  const message = `Rate limit reached for ${unit} per minute of ${name}: limit ${perMinute}${needed}. Try again in ${(waitMs / 1_000).toFixed(1)} s.`;
  return new ArilError('RATE_LIMITED', message, undefined, { retryAfterMs: waitMs });
}
