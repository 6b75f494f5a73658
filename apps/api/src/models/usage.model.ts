/** Sums of the ledger, made by the database in one query, so that groups and totals are of the same moment. */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import { Prisma } from '../generated/prisma/client.js';
import { toNumbers } from './sums.js';

export type UsageDimension = 'DAY' | 'TARGET' | 'API_KEY' | 'BASE_MODEL';

export interface TimeRange {
  /** Inclusive. */
  from: Date;
  /** Exclusive. */
  to: Date;
}

export interface UsageRange extends TimeRange {
  adapterId: string | null;
  deploymentId: string | null;
  /** What was asked for, by ids of adapters, deployments and base models; null: whatever it was. */
  targetIds: readonly string[] | null;
}

const COUNTS = ['requests', 'failedRequests', 'promptTokens', 'cachedTokens', 'completionTokens'] as const;

export interface UsageSums extends Record<(typeof COUNTS)[number], number> {
  amount: bigint;
}

/** What it was not grouped by is null. */
export interface UsageGroup extends UsageSums {
  /** YYYY-MM-DD */
  day: string | null;
  baseModelId: string | null;
  adapterId: string | null;
  deploymentId: string | null;
  target: string | null;
  /** What answered: the target itself, or a variant of the deployment that it is. */
  variant: string | null;
  apiKeyId: string | null;
}

interface UsageGroups {
  groups: UsageGroup[];
  totals: UsageSums;
}

type RawGroup = Omit<UsageGroup, keyof UsageSums> & Record<keyof UsageSums, string> & { isTotal: boolean };

@Injectable()
export class UsageModel {
  constructor(private readonly db: TenantDatabase) {}

  /** Newest day first. */
  async usage(range: UsageRange, by: readonly UsageDimension[]): Promise<UsageGroups> {
    const column = (sql: Prisma.Sql, ...dimensions: UsageDimension[]): Prisma.Sql =>
      dimensions.some((dimension) => by.includes(dimension)) ? sql : Prisma.sql`NULL::text`;
    const rows = await this.db.tx.$queryRaw<RawGroup[]>`
      WITH entry AS (
        SELECT ${column(Prisma.sql`to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`, 'DAY')} AS "day",
               ${column(Prisma.sql`base_model_id`, 'BASE_MODEL', 'TARGET')} AS "baseModelId",
               ${column(Prisma.sql`adapter_id::text`, 'TARGET')} AS "adapterId",
               ${column(Prisma.sql`deployment_id::text`, 'TARGET')} AS "deploymentId",
               ${column(Prisma.sql`target`, 'TARGET')} AS "target",
               ${column(Prisma.sql`coalesce(variant, target)`, 'TARGET')} AS "variant",
               ${column(Prisma.sql`api_key_id::text`, 'API_KEY')} AS "apiKeyId",
               failed, prompt_tokens, cached_tokens, completion_tokens, amount_nano_usd
        FROM ledger_entries
        WHERE tenant_id = ${this.db.tenantId}::uuid AND at >= ${range.from} AND at < ${range.to}
          AND (${range.adapterId}::uuid IS NULL OR adapter_id = ${range.adapterId}::uuid)
          AND (${range.deploymentId}::uuid IS NULL OR deployment_id = ${range.deploymentId}::uuid)
          AND (${range.targetIds}::text[] IS NULL OR coalesce(deployment_id::text, adapter_id::text, base_model_id) = ANY(${range.targetIds}::text[]))
      )
      SELECT "day", "baseModelId", "adapterId", "deploymentId", "target", "variant", "apiKeyId", grouping("day") = 1 AS "isTotal",
             count(*)::text AS "requests", (count(*) FILTER (WHERE failed))::text AS "failedRequests",
             coalesce(sum(prompt_tokens), 0)::text AS "promptTokens", coalesce(sum(cached_tokens), 0)::text AS "cachedTokens",
             coalesce(sum(completion_tokens), 0)::text AS "completionTokens", coalesce(sum(amount_nano_usd), 0)::text AS "amount"
      FROM entry
      GROUP BY GROUPING SETS (("day", "baseModelId", "adapterId", "deploymentId", "target", "variant", "apiKeyId"), ())
      ORDER BY "day" DESC, "target", "variant", "baseModelId", "adapterId", "apiKeyId"`;
    const total = rows.find((row) => row.isTotal);
    if (!total) throw new Error('the database gave no totals');
    return { groups: rows.filter((row) => !row.isTotal).map(groupOf), totals: sumsOf(total) };
  }
}

const groupOf = ({ isTotal: _, ...row }: RawGroup): UsageGroup => ({ ...row, ...sumsOf(row) });

const sumsOf = (row: Record<keyof UsageSums, string>): UsageSums => ({ ...toNumbers(row, COUNTS), amount: BigInt(row.amount) });
