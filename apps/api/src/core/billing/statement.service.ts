/** Statements as their tenant sees them: issued ones as they were written, open months as of now. */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { CONFIG, type Config } from '../../base/config/config.js';
import { encodeCursor, toConnection, type Connection, type Page } from '../../base/graphql/connection.js';
import { isMonth, monthOf, startOf } from '../../base/month.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { LedgerModel } from '../../models/ledger.model.js';
import { StatementModel, type StatementLineRow } from '../../models/statement.model.js';
import { BillingDetailsService } from './billing-details.service.js';
import { billedGeneration } from './statement-line.view.js';
import type { BilledGeneration } from './statement-line.types.js';
import { issuedView, preview, type FullStatement, type StatementView } from './statement.view.js';

@Injectable()
export class StatementService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly statements: StatementModel,
    private readonly ledger: LedgerModel,
    private readonly details: BillingDetailsService,
  ) {}

  /** Issued ones, newest first. */
  page(tenantId: string, page: Page): Promise<Connection<StatementView>> {
    return this.db.inTenant(tenantId, async () => {
      const rows = await this.statements.page(page.first, page.after?.createdAt ?? null);
      const totalCount = await this.statements.count();
      return toConnection(rows, { ...page, totalCount }, issuedView, ({ period, id }) => encodeCursor({ createdAt: period, id }));
    });
  }

  /** The current month, and before it months that ended and are not issued yet; newest first. */
  open(tenantId: string, now = new Date()): Promise<FullStatement[]> {
    return this.db.inTenant(tenantId, async () => {
      const months = [monthOf(now)];
      let period = await this.statements.firstOpenPeriod();
      for (; period && monthOf(period) < monthOf(now); period = await this.statements.firstOpenPeriod(period)) {
        months.splice(1, 0, monthOf(period));
      }
      const previews: FullStatement[] = [];
      for (const month of months) previews.push(await this.preview(tenantId, month));
      return previews;
    });
  }

  /** `id` of an issued one, or a month, issued or not. @throws NOT_FOUND, also for other tenants' statements. */
  async find(tenantId: string, id: string, now = new Date()): Promise<StatementView> {
    const row = await this.db.inTenant(tenantId, async () => {
      if (isMonth(id)) return this.statements.findByPeriod(startOf(id));
      return isUuid(id) ? this.statements.find(id) : null;
    });
    if (row) return issuedView(row);
    if (!isMonth(id)) throw new ArilError('NOT_FOUND', 'id: there is no such statement', 'id');
    if (startOf(id) > now) throw new ArilError('BAD_INPUT', `id: found ${id}, expected a month that has begun`, 'id');
    return this.db.inTenant(tenantId, async () => {
      const newest = await this.statements.newest();
      if (!newest || monthOf(newest.period) < id) return this.preview(tenantId, id);
      throw new ArilError('NOT_FOUND', `id: nothing was used in ${id}, so there is no statement of it`, 'id');
    });
  }

  async withLines(tenantId: string, statement: StatementView): Promise<FullStatement> {
    if ('lines' in statement) return statement as FullStatement;
    return { ...statement, lines: await this.db.inTenant(tenantId, () => this.statements.lines(statement.id)) };
  }

  /** What a line is the sum of, newest first. */
  entries(tenantId: string, month: string, line: StatementLineRow, page: Page): Promise<Connection<BilledGeneration>> {
    const { servicePeriod, baseModelId, adapterId, target, variant, apiKeyId, priceId } = line;
    const key = { period: startOf(month), servicePeriod, baseModelId, adapterId, target, variant, apiKeyId, priceId };
    return this.db.inTenant(tenantId, async () => {
      const rows = await this.ledger.page(key, page.first, page.after);
      const totalCount = await this.ledger.count(key);
      return toConnection(rows, { ...page, totalCount }, billedGeneration, ({ at, generationId }) => encodeCursor({ createdAt: at, id: generationId }));
    });
  }

  private async preview(tenantId: string, month: string): Promise<FullStatement> {
    const lines = await this.statements.openLines(startOf(month));
    return preview(month, this.config.STATEMENT_ISSUER, await this.details.billTo(tenantId), lines);
  }
}
