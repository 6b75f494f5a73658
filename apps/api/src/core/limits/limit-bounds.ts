/** What the operator says of every tenant's limits: what holds where a tenant has set none, and what none can exceed. */
import type { Config } from '../../base/config/config.js';
import type { Limits } from '../../models/limit.model.js';

export const NO_LIMITS: Limits = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  parallelRequests: null,
  budgetSoftNanoUsd: null,
  budgetHardNanoUsd: null,
};

export const defaultLimits = (config: Config): Limits => ({
  ...NO_LIMITS,
  requestsPerMinute: config.TENANT_REQUESTS_PER_MINUTE ?? null,
  tokensPerMinute: config.TENANT_TOKENS_PER_MINUTE ?? null,
  parallelRequests: config.TENANT_PARALLEL_REQUESTS ?? null,
  budgetHardNanoUsd: config.TENANT_BUDGET_USD ?? null,
});

/** The soft budget only warns, so it needs no ceiling. */
export const limitCeilings = (config: Config): Limits => ({
  ...NO_LIMITS,
  requestsPerMinute: config.TENANT_REQUESTS_PER_MINUTE_MAX ?? null,
  tokensPerMinute: config.TENANT_TOKENS_PER_MINUTE_MAX ?? null,
  parallelRequests: config.TENANT_PARALLEL_REQUESTS_MAX ?? null,
  budgetHardNanoUsd: config.TENANT_BUDGET_USD_MAX ?? null,
});

/** The tighter of two limits; null is none. */
function tighter<T extends number | bigint>(one: T | null, other: T | null): T | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}

export const within = (limits: Limits, ceilings: Limits): Limits => ({
  requestsPerMinute: tighter(limits.requestsPerMinute, ceilings.requestsPerMinute),
  tokensPerMinute: tighter(limits.tokensPerMinute, ceilings.tokensPerMinute),
  parallelRequests: tighter(limits.parallelRequests, ceilings.parallelRequests),
  budgetSoftNanoUsd: tighter(limits.budgetSoftNanoUsd, ceilings.budgetSoftNanoUsd),
  budgetHardNanoUsd: tighter(limits.budgetHardNanoUsd, ceilings.budgetHardNanoUsd),
});
