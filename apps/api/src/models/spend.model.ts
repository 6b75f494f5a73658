/** What has been spent, which the ledger says, and what may still be, which the open generations say. */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';

/** Of a tenant or of one of its API keys. */
export interface Use {
  /** Generations that wait or run, and somebody waits for. */
  open: number;
  spentNanoUsd: bigint;
  /** By the open ones, each its worst case. */
  reservedNanoUsd: bigint;
}

export interface TenantUse {
  tenant: Use;
  /** Of the key that was asked about. */
  key: Use;
  /** Answers of the tenant, likewise. */
  openChoices: number;
}

type KeyUse = Use & { apiKeyId: string };

/** Sums as text, as in `sums.ts`. */
type RawUse = Record<'openChoices' | 'open' | 'keyOpen' | 'reserved' | 'keyReserved' | 'spent' | 'keySpent', string>;

@Injectable()
export class SpendModel {
  constructor(private readonly db: TenantDatabase) {}

  /**
   * One statement, hence one snapshot: a generation that is settled meanwhile counts as open or as spent, never as
   * neither. `period`: the first day of the month. What clocks that run ahead have already put into the next month counts too.
   */
  async use(apiKeyId: string | null, period: Date): Promise<TenantUse> {
    const { tenantId } = this.db;
    const [row] = await this.db.tx.$queryRaw<RawUse[]>`
      SELECT coalesce(sum(n) FILTER (WHERE deadline_at IS NULL), 0)::text AS "openChoices",
             (count(*) FILTER (WHERE deadline_at IS NULL))::text AS "open",
             (count(*) FILTER (WHERE deadline_at IS NULL AND api_key_id = ${apiKeyId}::uuid))::text AS "keyOpen",
             coalesce(sum(reserved_nano_usd), 0)::text AS "reserved",
             coalesce(sum(reserved_nano_usd) FILTER (WHERE api_key_id = ${apiKeyId}::uuid), 0)::text AS "keyReserved",
             (SELECT coalesce(sum(spent_nano_usd), 0) FROM monthly_spend
              WHERE tenant_id = ${tenantId}::uuid AND month >= ${period}::date)::text AS "spent",
             (SELECT coalesce(sum(spent_nano_usd), 0) FROM monthly_spend
              WHERE tenant_id = ${tenantId}::uuid AND month >= ${period}::date AND api_key_id = ${apiKeyId}::uuid)::text AS "keySpent"
      FROM generations
      WHERE tenant_id = ${tenantId}::uuid AND status IN ('QUEUED', 'RUNNING')`;
    if (!row) throw new Error('a sum gave no row');
    return {
      tenant: { open: Number(row.open), spentNanoUsd: BigInt(row.spent), reservedNanoUsd: BigInt(row.reserved) },
      key: { open: Number(row.keyOpen), spentNanoUsd: BigInt(row.keySpent), reservedNanoUsd: BigInt(row.keyReserved) },
      openChoices: Number(row.openChoices),
    };
  }

  /** Of every API key that has spent or reserved anything in the month. */
  async useOfKeys(period: Date): Promise<KeyUse[]> {
    const { tenantId } = this.db;
    const rows = await this.db.tx.$queryRaw<({ apiKeyId: string } & Record<'open' | 'spent' | 'reserved', string>)[]>`
      SELECT api_key_id::text AS "apiKeyId", sum(open)::text AS "open", sum(spent)::text AS "spent", sum(reserved)::text AS "reserved"
      FROM (
        SELECT api_key_id, 0 AS open, spent_nano_usd AS spent, 0 AS reserved FROM monthly_spend
        WHERE tenant_id = ${tenantId}::uuid AND month >= ${period}::date
        UNION ALL
        SELECT api_key_id, (deadline_at IS NULL)::int, 0, reserved_nano_usd FROM generations
        WHERE tenant_id = ${tenantId}::uuid AND status IN ('QUEUED', 'RUNNING')) AS each
      WHERE api_key_id IS NOT NULL GROUP BY 1`;
    return rows.map(({ apiKeyId, open, spent, reserved }) => ({
      apiKeyId,
      open: Number(open),
      spentNanoUsd: BigInt(spent),
      reservedNanoUsd: BigInt(reserved),
    }));
  }
}
