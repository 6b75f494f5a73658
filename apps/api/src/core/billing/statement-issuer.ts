/**
 * Issues the statements that are due: of months that ended, a grace ago, with entries that no statement bills yet. One
 * transaction issues one statement, with the tenant's ledger locked: whoever comes second, or again, finds nothing left.
 * A month in which nothing was used has no statement.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../../base/config/config.js';
import { endOf, monthOf } from '../../base/month.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { CURRENCY, exactUsd } from '../../base/usd.js';
import { StatementModel, type StatementRow } from '../../models/statement.model.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { IdentityDirectory } from '../identity/identity-directory.js';
import { BillingDetailsService } from './billing-details.service.js';
import { contentSha256 } from './statement-content.js';
import { totalsOf } from './statement-totals.js';

@Injectable()
export class StatementIssuer {
  private readonly logger = new Logger(StatementIssuer.name);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly directory: IdentityDirectory,
    private readonly statements: StatementModel,
    private readonly details: BillingDetailsService,
    private readonly audit: AuditTrail,
  ) {}

  /** Of all tenants; one tenant's trouble does not keep the others waiting. `now` in milliseconds since the epoch: what Postgres says. */
  async issueDue(now?: number): Promise<void> {
    now ??= await this.statements.nowMs();
    for (const tenantId of await this.directory.allTenantIds()) {
      try {
        await this.issueDueOf(tenantId, now);
      } catch (error) {
        this.logger.error({ tenantId, err: error }, 'a statement could not be issued');
      }
    }
  }

  /** Oldest month first, whatever number of months was missed. */
  async issueDueOf(tenantId: string, now = Date.now()): Promise<StatementRow[]> {
    const issued: StatementRow[] = [];
    for (;;) {
      const row = await this.db.inTenant(tenantId, () => this.issueNext(tenantId, now));
      if (!row) return issued;
      this.logger.log({ tenantId, number: row.number, month: monthOf(row.period) }, 'issued a statement');
      issued.push(row);
    }
  }

  private async issueNext(tenantId: string, now: number): Promise<StatementRow | null> {
    // Without the lock first: mostly nothing is due, and the ledger is to be written.
    if (!this.isDue(await this.statements.firstOpenPeriod(), now)) return null;
    await this.statements.lockLedger();
    const period = await this.statements.firstOpenPeriod();
    return this.isDue(period, now) ? this.issue(tenantId, period) : null;
  }

  private isDue(period: Date | null, now: number): period is Date {
    return period !== null && endOf(monthOf(period)).getTime() + this.config.STATEMENT_GRACE_S * 1_000 <= now;
  }

  private async issue(tenantId: string, period: Date): Promise<StatementRow> {
    const sequence = ((await this.statements.newest())?.sequence ?? 0) + 1;
    const lines = await this.statements.openLines(period);
    const { exactNanoUsd, amountNanoUsd } = totalsOf(lines);
    const statement = {
      sequence,
      number: numberOf(tenantId, sequence),
      period,
      currency: CURRENCY,
      issuer: this.config.STATEMENT_ISSUER,
      billTo: await this.details.billTo(tenantId),
      lineCount: lines.length,
      exactNanoUsd,
      amountNanoUsd,
      contentSha256: contentSha256(lines),
    };
    const row = await this.statements.insert(statement, lines);
    const after = { month: monthOf(period), lines: lines.length, amountUsd: exactUsd(amountNanoUsd) };
    await this.audit.record('statement.issue', { id: row.id, label: row.number }, { after });
    return row;
  }
}

/** The random end of the tenant's id, so that numbers of two tenants do not get mixed up, and a count without gaps. */
const numberOf = (tenantId: string, sequence: number): string =>
  `${tenantId.slice(-8).toUpperCase()}-${String(sequence).padStart(4, '0')}`;
