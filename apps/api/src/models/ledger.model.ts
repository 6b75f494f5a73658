/**
 * The ledger: one immutable row per ended generation, written in the transaction that ends it. A row's tokens are
 * those charged for, so that its amount is always tokens times price; a generation's own row says what it used.
 */
import { Injectable } from '@nestjs/common';
import type { Position } from '../base/graphql/connection.js';
import { endOf, monthOf } from '../base/month.js';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import { type LedgerEntry, Prisma } from '../generated/prisma/client.js';

export type LedgerRow = LedgerEntry;

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
  cachedTokens: number;
  completionTokens: number;
  amountNanoUsd: bigint;
  at: Date;
}

export interface Price {
  promptNanoUsdPerToken: bigint;
  completionNanoUsdPerToken: bigint;
}

/** What entries that are billed in one line have in common. Periods are the first days of months. */
type LineKey = Pick<LedgerEntry, 'period' | 'baseModelId' | 'adapterId' | 'target' | 'variant' | 'apiKeyId' | 'priceId'> & {
  servicePeriod: Date;
};

@Injectable()
export class LedgerModel {
  private readonly prices = new Map<string, Price>();

  constructor(private readonly db: TenantDatabase) {}

  async insert(entry: NewLedgerEntry): Promise<void> {
    await this.db.tx.ledgerEntry.create({ data: { ...entry, tenantId: this.db.tenantId } });
  }

  /** The price that held when the generation was admitted. Prices never change (another one is another row), so each is read once. */
  async price(priceId: string): Promise<Price> {
    const known = this.prices.get(priceId);
    if (known) return known;
    const price = await this.db.tx.price.findUniqueOrThrow({ where: { id: priceId } });
    this.prices.set(priceId, price);
    return price;
  }

  /** The entries behind a line, newest first; one row more than `first` when there is another page. */
  page(line: LineKey, first: number, after: Position | null): Promise<LedgerRow[]> {
    const older: Prisma.LedgerEntryWhereInput = after
      ? { OR: [{ at: { lt: after.createdAt } }, { at: after.createdAt, generationId: { lt: after.id } }] }
      : {};
    return this.db.tx.ledgerEntry.findMany({
      where: { AND: [this.behind(line), older] },
      orderBy: [{ at: 'desc' }, { generationId: 'desc' }],
      take: first + 1,
    });
  }

  count(line: LineKey): Promise<number> {
    return this.db.tx.ledgerEntry.count({ where: this.behind(line) });
  }

  private behind({ servicePeriod, ...key }: LineKey): Prisma.LedgerEntryWhereInput {
    const end = endOf(monthOf(servicePeriod));
    return { ...key, tenantId: this.db.tenantId, at: { gte: servicePeriod, lt: end } };
  }
}
