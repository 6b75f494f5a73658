/**
 * The ledger: one immutable row per ended generation, written in the transaction that ends it. A row's tokens are
 * those charged for, so that its amount is always tokens times price; a generation's own row says what it used.
 */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';

export interface NewLedgerEntry {
  generationId: string;
  baseModelId: string;
  adapterId: string | null;
  deploymentId: string | null;
  target: string;
  /** Null: the target itself. */
  variant: string | null;
  apiKeyId: string | null;
  priceId: string;
  failed: boolean;
  promptTokens: number;
  completionTokens: number;
  amountNanoUsd: bigint;
  at: Date;
}

/** One UTC day of one target, and of each variant of a deployment. */
export interface UsageRow {
  /** YYYY-MM-DD */
  day: string;
  baseModelId: string;
  adapterId: string | null;
  deploymentId: string | null;
  target: string;
  variant: string;
  requests: number;
  failedRequests: number;
  promptTokens: number;
  completionTokens: number;
  amountNanoUsd: bigint;
}

export interface UsageRange {
  /** Inclusive. */
  from: Date;
  /** Exclusive. */
  to: Date;
  adapterId: string | null;
  deploymentId: string | null;
}

export interface Price {
  promptNanoUsdPerToken: bigint;
  completionNanoUsdPerToken: bigint;
}

type RawUsageRow = Omit<UsageRow, 'requests' | 'failedRequests' | 'promptTokens' | 'completionTokens' | 'amountNanoUsd'> &
  Record<'requests' | 'failedRequests' | 'promptTokens' | 'completionTokens' | 'amountNanoUsd', string>;

@Injectable()
export class LedgerModel {
  constructor(private readonly db: TenantDatabase) {}

  async insert(entry: NewLedgerEntry): Promise<void> {
    await this.db.tx.ledgerEntry.create({ data: { ...entry, tenantId: this.db.tenantId } });
  }

  /** The price that held when the generation was admitted. */
  async price(priceId: string): Promise<Price> {
    return this.db.tx.price.findUniqueOrThrow({ where: { id: priceId } });
  }

  /** Sums by UTC day and target, newest day first. Sums are text on the way: they may exceed what the driver's numbers hold. */
  async usage(range: UsageRange): Promise<UsageRow[]> {
    const rows = await this.db.tx.$queryRaw<RawUsageRow[]>`
      SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "day",
             base_model_id AS "baseModelId", adapter_id::text AS "adapterId", deployment_id::text AS "deploymentId",
             target AS "target", coalesce(variant, target) AS "variant",
             count(*)::text AS "requests", (count(*) FILTER (WHERE failed))::text AS "failedRequests",
             sum(prompt_tokens)::text AS "promptTokens", sum(completion_tokens)::text AS "completionTokens",
             sum(amount_nano_usd)::text AS "amountNanoUsd"
      FROM ledger_entries
      WHERE tenant_id = ${this.db.tenantId}::uuid AND at >= ${range.from} AND at < ${range.to}
        AND (${range.adapterId}::uuid IS NULL OR adapter_id = ${range.adapterId}::uuid)
        AND (${range.deploymentId}::uuid IS NULL OR deployment_id = ${range.deploymentId}::uuid)
      GROUP BY 1, 2, 3, 4, 5, 6
      ORDER BY 1 DESC, 5, 6, 3`;
    return rows.map((row) => ({
      ...row,
      requests: Number(row.requests),
      failedRequests: Number(row.failedRequests),
      promptTokens: Number(row.promptTokens),
      completionTokens: Number(row.completionTokens),
      amountNanoUsd: BigInt(row.amountNanoUsd),
    }));
  }
}
