/** OpenAI's headers that say how far a rate is used: clients slow down by them before they are refused. */
import type { Response } from 'express';
import { rateHeaders } from '../../base/http/headers.js';
import type { RateStatus } from '../limits/rate-limiter.js';

/** Of a tenant's and a key's limits on the same thing, the one that is reached first is told. */
export function writeRateHeaders(response: Response, rates: readonly RateStatus[]): void {
  for (const unit of ['requests', 'tokens'] as const) {
    const [first] = rates.filter((rate) => rate.unit === unit).sort((a, b) => a.remaining - b.remaining || a.limit - b.limit);
    if (!first || response.headersSent) continue;
    const names = rateHeaders(unit);
    response.setHeader(names.limit, first.limit);
    response.setHeader(names.remaining, first.remaining);
    response.setHeader(names.reset, duration(first.resetMs));
  }
}

/** As Go writes durations, which is how OpenAI's headers have them: 6ms, 1.2s, 6m0s. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = (ms % 60_000) / 1_000;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
