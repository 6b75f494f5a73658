import { exactUsd } from '../../base/usd.js';
import type { Limits } from '../../models/limit.model.js';
import type { AuditFields } from '../audit/audit-event.js';

const usd = (nano: bigint | null): string | null => (nano === null ? null : exactUsd(nano));

/** Limits as the audit log has them: budgets in dollars, for people. */
export const limitFields = ({ requestsPerMinute, tokensPerMinute, parallelRequests, budgetSoftNanoUsd, budgetHardNanoUsd }: Limits): AuditFields => ({
  requestsPerMinute,
  tokensPerMinute,
  parallelRequests,
  budgetSoftUsd: usd(budgetSoftNanoUsd),
  budgetHardUsd: usd(budgetHardNanoUsd),
});
