/** How the variants of a deployment did: counts and amounts of the ledger, times of the generations behind it. */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import { toNumbers } from './sums.js';
import type { TimeRange } from './usage.model.js';

const COUNTS = ['requests', 'failedRequests', 'promptTokens', 'completionTokens'] as const;
type Count = (typeof COUNTS)[number];

/** Median and 95th percentile in milliseconds, of what ended by itself. Null: nothing did. */
interface VariantTimes {
  ttftMsP50: number | null;
  ttftMsP95: number | null;
  totalMsP50: number | null;
  totalMsP95: number | null;
}

export interface ComparisonRow extends Record<Count, number>, VariantTimes {
  /** Null: the base model itself. */
  adapterId: string | null;
  /** The adapter's slug, or the base model's id. */
  target: string;
  amountNanoUsd: bigint;
}

type RawRow = Pick<ComparisonRow, 'adapterId' | 'target' | keyof VariantTimes> & Record<Count | 'amountNanoUsd', string>;

@Injectable()
export class ComparisonModel {
  constructor(private readonly db: TenantDatabase) {}

  /** One row per variant that was ever used in the range. */
  async byVariant(deploymentId: string, { from, to }: TimeRange): Promise<ComparisonRow[]> {
    const rows = await this.db.tx.$queryRaw<RawRow[]>`
      SELECT l.adapter_id::text AS "adapterId", l.variant AS "target",
             count(*)::text AS "requests", (count(*) FILTER (WHERE l.failed))::text AS "failedRequests",
             sum(l.prompt_tokens)::text AS "promptTokens", sum(l.completion_tokens)::text AS "completionTokens",
             sum(l.amount_nano_usd)::text AS "amountNanoUsd",
             percentile_cont(0.5) WITHIN GROUP (ORDER BY g.ttft_ms) FILTER (WHERE g.status = 'SUCCEEDED') AS "ttftMsP50",
             percentile_cont(0.95) WITHIN GROUP (ORDER BY g.ttft_ms) FILTER (WHERE g.status = 'SUCCEEDED') AS "ttftMsP95",
             percentile_cont(0.5) WITHIN GROUP (ORDER BY g.total_ms) FILTER (WHERE g.status = 'SUCCEEDED') AS "totalMsP50",
             percentile_cont(0.95) WITHIN GROUP (ORDER BY g.total_ms) FILTER (WHERE g.status = 'SUCCEEDED') AS "totalMsP95"
      FROM ledger_entries l JOIN generations g ON g.tenant_id = l.tenant_id AND g.id = l.generation_id
      WHERE l.tenant_id = ${this.db.tenantId}::uuid AND l.deployment_id = ${deploymentId}::uuid
        AND l.at >= ${from} AND l.at < ${to}
      GROUP BY 1, 2
      ORDER BY 2, 1`;
    return rows.map((row) => ({ ...row, ...toNumbers(row, COUNTS), amountNanoUsd: BigInt(row.amountNanoUsd) }));
  }
}
