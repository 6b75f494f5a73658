/** What a tenant, or one of its API keys, may use. A tenant's row has no API key; `null` is no limit. */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';

export interface Limits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  parallelRequests: number | null;
  /** Of a UTC calendar month. Soft: warned of; hard: never exceeded. */
  budgetSoftNanoUsd: bigint | null;
  budgetHardNanoUsd: bigint | null;
}

type LimitRow = Limits & { apiKeyId: string | null };

const FIELDS = {
  apiKeyId: true,
  requestsPerMinute: true,
  tokensPerMinute: true,
  parallelRequests: true,
  budgetSoftNanoUsd: true,
  budgetHardNanoUsd: true,
} as const;

@Injectable()
export class LimitModel {
  constructor(private readonly db: TenantDatabase) {}

  /** The tenant's row, and that of the key if one is named; those that there are. */
  of(apiKeyId: string | null): Promise<LimitRow[]> {
    const whose = apiKeyId === null ? { apiKeyId } : { OR: [{ apiKeyId: null }, { apiKeyId }] };
    return this.db.tx.usageLimit.findMany({ where: { tenantId: this.db.tenantId, ...whose }, select: FIELDS });
  }

  ofAllKeys(): Promise<LimitRow[]> {
    return this.db.tx.usageLimit.findMany({ where: { tenantId: this.db.tenantId, apiKeyId: { not: null } }, select: FIELDS });
  }

  async put(apiKeyId: string | null, limits: Limits): Promise<void> {
    const { requestsPerMinute, tokensPerMinute, parallelRequests, budgetSoftNanoUsd, budgetHardNanoUsd } = limits;
    // Prisma's upsert cannot name a row by a null.
    await this.db.tx.$executeRaw`
      INSERT INTO usage_limits (tenant_id, api_key_id, requests_per_minute, tokens_per_minute, parallel_requests,
                                budget_soft_nano_usd, budget_hard_nano_usd)
      VALUES (${this.db.tenantId}::uuid, ${apiKeyId}::uuid, ${requestsPerMinute}::int, ${tokensPerMinute}::int, ${parallelRequests}::int,
              ${budgetSoftNanoUsd}::bigint, ${budgetHardNanoUsd}::bigint)
      ON CONFLICT (tenant_id, api_key_id) DO UPDATE SET
        requests_per_minute = EXCLUDED.requests_per_minute, tokens_per_minute = EXCLUDED.tokens_per_minute,
        parallel_requests = EXCLUDED.parallel_requests,
        budget_soft_nano_usd = EXCLUDED.budget_soft_nano_usd, budget_hard_nano_usd = EXCLUDED.budget_hard_nano_usd`;
  }
}
