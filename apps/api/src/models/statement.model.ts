/**
 * Statements and their lines. An open month's lines are summed from the ledger whenever they are asked for; an issued
 * month's were written once. Periods are the first days of months, at midnight UTC.
 */
import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { Prisma, Statement, StatementLine } from '../generated/prisma/client.js';
import { toBigInts } from './sums.js';

export type StatementRow = Statement;
export type StatementLineRow = Omit<StatementLine, 'id' | 'tenantId' | 'statementId'>;
/** Whom a statement is addressed to; an empty `legalName` leaves the tenant's own. */
export interface BillTo {
  tenantName: string;
  legalName: string;
  address: string;
  taxId: string;
  email: string;
}
type NewStatement = Omit<Statement, 'id' | 'tenantId' | 'issuedAt' | 'billTo'> & { billTo: BillTo };

const COUNTS = [
  'promptNanoUsdPerToken',
  'completionNanoUsdPerToken',
  'requests',
  'failedRequests',
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'exactNanoUsd',
  'amountNanoUsd',
] as const satisfies (keyof StatementLineRow)[];
type Count = (typeof COUNTS)[number];
type RawLine = Omit<StatementLineRow, Count | 'position'> & Record<Count, string>;

@Injectable()
export class StatementModel {
  constructor(private readonly db: TenantDatabase) {}

  newest(): Promise<StatementRow | null> {
    return this.db.tx.statement.findFirst({ where: { tenantId: this.db.tenantId }, orderBy: { period: 'desc' } });
  }

  find(id: string): Promise<StatementRow | null> {
    return this.db.tx.statement.findFirst({ where: { tenantId: this.db.tenantId, id } });
  }

  findByPeriod(period: Date): Promise<StatementRow | null> {
    return this.db.tx.statement.findFirst({ where: { tenantId: this.db.tenantId, period } });
  }

  /** Newest month first; one row more than `first` when there is another page. */
  page(first: number, before: Date | null): Promise<StatementRow[]> {
    return this.db.tx.statement.findMany({
      where: { tenantId: this.db.tenantId, ...(before ? { period: { lt: before } } : {}) },
      orderBy: { period: 'desc' },
      take: first + 1,
    });
  }

  count(): Promise<number> {
    return this.db.tx.statement.count({ where: { tenantId: this.db.tenantId } });
  }

  lines(statementId: string): Promise<StatementLineRow[]> {
    return this.db.tx.statementLine.findMany({
      where: { tenantId: this.db.tenantId, statementId },
      orderBy: { position: 'asc' },
      omit: { id: true, tenantId: true, statementId: true },
    });
  }

  /** By the one clock that all processes share: a statement that is issued too early stays as it is. */
  async nowMs(): Promise<number> {
    const [row] = await this.db.withoutTenant(() => this.db.tx.$queryRaw<{ now: Date }[]>`SELECT now()`);
    return row!.now.getTime();
  }

  /** The first month with entries that no statement bills yet, or the first one after `after`. */
  async firstOpenPeriod(after: Date | null = null): Promise<Date | null> {
    const last = after ?? (await this.newest())?.period;
    const { _min } = await this.db.tx.ledgerEntry.aggregate({
      where: { tenantId: this.db.tenantId, ...(last ? { period: { gt: last } } : {}) },
      _min: { period: true },
    });
    return _min.period;
  }

  /** An open month's lines as of now; adjustments of earlier months come last. */
  async openLines(period: Date): Promise<StatementLineRow[]> {
    const rows = await this.db.tx.$queryRaw<RawLine[]>`
      WITH line AS (
        SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date AS service_period,
               base_model_id, adapter_id, target, variant, api_key_id, price_id,
               count(*) AS requests, count(*) FILTER (WHERE failed) AS failed_requests, sum(prompt_tokens) AS prompt_tokens,
               sum(cached_tokens) AS cached_tokens, sum(completion_tokens) AS completion_tokens, sum(amount_nano_usd) AS exact
        FROM ledger_entries
        WHERE tenant_id = ${this.db.tenantId}::uuid AND period = ${period}::date
        GROUP BY 1, 2, 3, 4, 5, 6, 7
      )
      SELECT service_period AS "servicePeriod", line.base_model_id AS "baseModelId", adapter_id::text AS "adapterId",
             target AS "target", variant AS "variant", api_key_id::text AS "apiKeyId", key.name AS "apiKeyName", price_id::text AS "priceId",
             price.prompt_nano_usd_per_token::text AS "promptNanoUsdPerToken",
             price.completion_nano_usd_per_token::text AS "completionNanoUsdPerToken",
             requests::text AS "requests", failed_requests::text AS "failedRequests", prompt_tokens::text AS "promptTokens",
             cached_tokens::text AS "cachedTokens", completion_tokens::text AS "completionTokens",
             exact::text AS "exactNanoUsd", (round(exact / 1000) * 1000)::bigint::text AS "amountNanoUsd"
      FROM line
      JOIN prices price ON price.id = line.price_id
      LEFT JOIN api_keys key ON key.tenant_id = ${this.db.tenantId}::uuid AND key.id = line.api_key_id
      ORDER BY service_period DESC, target, variant, line.base_model_id, adapter_id, key.created_at NULLS FIRST, api_key_id,
               price.valid_from, price_id`;
    return rows.map((row, index) => lineOf(row, index + 1));
  }

  /** Keeps entries of the tenant from being written until the transaction ends. */
  async lockLedger(): Promise<void> {
    await this.db.lock('ledger');
  }

  async insert(statement: NewStatement, lines: StatementLineRow[]): Promise<StatementRow> {
    const { tenantId } = this.db;
    const billTo = { ...statement.billTo } satisfies Prisma.InputJsonObject;
    const row = await this.db.tx.statement.create({ data: { ...statement, billTo, tenantId } });
    await this.insertLines(lines.map((line) => ({ id: randomUUID(), tenantId, statementId: row.id, ...line })));
    return row;
  }

  /** In one statement, as one value: Prisma takes milliseconds per row, and the ledger is locked meanwhile. */
  private async insertLines(lines: readonly StatementLine[]): Promise<void> {
    const rows = lines.map((line) => Object.fromEntries(Object.entries(line).map(([name, value]) => [columnOf(name), textOf(value)])));
    await this.db.tx.$executeRaw`
      INSERT INTO statement_lines SELECT * FROM jsonb_populate_recordset(NULL::statement_lines, ${JSON.stringify(rows)}::jsonb)`;
  }
}

/** `servicePeriod` → `service_period` */
const columnOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const textOf = (value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);

function lineOf(row: RawLine, position: number): StatementLineRow {
  return { ...row, ...toBigInts(row, COUNTS), servicePeriod: new Date(row.servicePeriod), position };
}
