/** Whether a request fits into what is left of a month's budget, and what its caller is told if not. */
import { ArilError } from '@aril/contracts';
import { endOf, monthOf } from '../../base/month.js';
import { dollars } from '../../base/usd.js';
import type { Use } from '../../models/spend.model.js';

interface Cost {
  nanoUsd: bigint;
  maxTokensName: string;
  now: Date;
}

/** Requests that run give back what they do not use when they end, which is seconds from now. */
const RESERVED_RETRY_MS = 5_000;

/**
 * `whose`: in the words of the error. What is reserved by others and may come back is worth waiting for; what is spent is not.
 * @throws ArilError BUDGET_EXCEEDED, or RATE_LIMITED where waiting helps
 */
export function requireBudget(whose: string, hard: bigint | null, { spentNanoUsd, reservedNanoUsd }: Use, cost: Cost): void {
  const { nanoUsd, maxTokensName, now } = cost;
  if (hard === null || spentNanoUsd + reservedNanoUsd + nanoUsd <= hard) return;
  const free = hard - spentNanoUsd - reservedNanoUsd;
  const left = free > 0n ? free : 0n;
  const facts = `The monthly budget of ${whose}: this request can cost up to ${dollars(nanoUsd)}, and ${dollars(left)} of ${dollars(hard)} are left`;
  const less = `A smaller ${maxTokensName} needs less`;
  if (spentNanoUsd + nanoUsd <= hard) {
    const message = `${facts}, ${dollars(reservedNanoUsd)} being reserved for requests that wait or run. ${less}; or try again when they have ended.`;
    throw new ArilError('RATE_LIMITED', message, undefined, { retryAfterMs: RESERVED_RETRY_MS });
  }
  const resets = endOf(monthOf(now)).toISOString().slice(0, 10);
  throw new ArilError('BUDGET_EXCEEDED', `${facts}. ${less}; the budget begins anew on ${resets} (UTC).`);
}
