/** The audit log as it is read. `AuditTrail` writes it. */
import { Injectable } from '@nestjs/common';
import { validInput } from '../../base/errors/validate.js';
import { type Connection, encodeCursor, type Page, type Position, toConnection } from '../../base/graphql/connection.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AuditEventModel, type AuditEventRow } from '../../models/audit-event.model.js';
import { auditFilterSchema } from './audit-filter.js';
import type { AuditActor, AuditEventType } from './audit.types.js';
import { actorView, auditEventView } from './audit.view.js';

/** Rows per transaction of an export, which may be of years. */
const BATCH = 1_000;

@Injectable()
export class AuditService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly events: AuditEventModel,
  ) {}

  /** Newest first. */
  page(tenantId: string, asked: unknown, page: Page): Promise<Connection<AuditEventType>> {
    const filter = validInput(auditFilterSchema, asked ?? {});
    return this.db.inTenant(tenantId, async () => {
      const rows = await this.events.page(filter, page.first, page.after);
      const totalCount = await this.events.count(filter);
      const existing = await this.events.existing(rows.map((row) => row.resourceId));
      return toConnection(rows, { ...page, totalCount }, (row) => auditEventView(row, existing), encodeCursor);
    });
  }

  async actors(tenantId: string): Promise<AuditActor[]> {
    const rows = await this.db.inTenant(tenantId, () => this.events.actors());
    return rows.map(actorView).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** All that match, newest first, a batch at a time. @throws BAD_INPUT before the first. */
  batches(tenantId: string, asked: unknown): AsyncGenerator<AuditEventRow[]> {
    const filter = validInput(auditFilterSchema, asked);
    const next = (after: Position | null): Promise<AuditEventRow[]> => this.db.inTenant(tenantId, () => this.events.page(filter, BATCH, after));
    return (async function* () {
      for (let after: Position | null = null, more = true; more; ) {
        const rows = await next(after);
        more = rows.length > BATCH;
        const batch = rows.slice(0, BATCH);
        after = batch.at(-1) ?? null;
        yield batch;
      }
    })();
  }
}
