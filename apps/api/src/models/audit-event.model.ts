/** The audit log. It only grows; what retention removes goes through `purge`, under a role that may do nothing else. */
import { Injectable } from '@nestjs/common';
import type { Position } from '../base/graphql/connection.js';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { AuditActorType, AuditEvent, Prisma } from '../generated/prisma/client.js';
import { olderThan } from './filters.js';

export type { AuditActorType };
export type AuditEventRow = AuditEvent;
export type NewAuditEvent = Omit<AuditEvent, 'id' | 'createdAt' | 'changes'> & { changes: readonly object[] };
export type AuditActorRow = Pick<AuditEvent, 'actorType' | 'actorId' | 'actorName' | 'actorHandle'>;

/** A null, or what is left out, is no condition. `from` inclusive, `to` exclusive. */
export interface AuditFilter {
  actorType?: AuditActorType | null;
  actorId?: string | null;
  action?: string | null;
  resourceType?: string | null;
  resourceId?: string | null;
  from?: Date | null;
  to?: Date | null;
}

/** Any client's transaction: Better Auth's connections write the log too. Nothing is read back, as they may not. */
export async function insertAuditEvent(tx: Pick<TenantDatabase['tx'], '$executeRaw'>, event: NewAuditEvent): Promise<void> {
  const { tenantId, actorType, actorId, actorName, actorHandle, action, resourceType, resourceId, resourceLabel } = event;
  await tx.$executeRaw`
    INSERT INTO audit_events (tenant_id, actor_type, actor_id, actor_name, actor_handle, action, resource_type, resource_id,
                              resource_label, changes, request_id, ip_address, user_agent)
    VALUES (${tenantId}::uuid, ${actorType}::"AuditActorType", ${actorId}::uuid, ${actorName}, ${actorHandle}, ${action}, ${resourceType},
            ${resourceId}::uuid, ${resourceLabel}, ${JSON.stringify(event.changes, wellFormed)}::jsonb, ${event.requestId}, ${event.ipAddress}, ${event.userAgent})`;
}

/** Half a surrogate pair, which Postgres refuses in JSON, becomes what it is in a text column: U+FFFD. */
const wellFormed = (_name: string, value: unknown): unknown => (typeof value === 'string' ? Buffer.from(value).toString() : value);

@Injectable()
export class AuditEventModel {
  constructor(private readonly db: TenantDatabase) {}

  insert(event: Omit<NewAuditEvent, 'tenantId'>): Promise<void> {
    return insertAuditEvent(this.db.tx, { ...event, tenantId: this.db.tenantId });
  }

  /** Newest first; one row more than `first` when there is another page. */
  page(filter: AuditFilter, first: number, after: Position | null): Promise<AuditEventRow[]> {
    return this.db.tx.auditEvent.findMany({
      where: { AND: [this.matching(filter), olderThan(after)] },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: first + 1,
    });
  }

  count(filter: AuditFilter): Promise<number> {
    return this.db.tx.auditEvent.count({ where: this.matching(filter) });
  }

  /** Whoever the log names, as they were called last. */
  actors(): Promise<AuditActorRow[]> {
    return this.db.tx.auditEvent.findMany({
      where: { tenantId: this.db.tenantId },
      distinct: ['actorType', 'actorId'],
      orderBy: [{ actorType: 'asc' }, { actorId: 'asc' }, { createdAt: 'desc' }],
      select: { actorType: true, actorId: true, actorName: true, actorHandle: true },
    });
  }

  /** Of these ids, those of things that still are there. */
  async existing(ids: readonly string[]): Promise<Set<string>> {
    const { tenantId } = this.db;
    const rows = await this.db.tx.$queryRaw<{ id: string }[]>`
      SELECT id::text AS "id" FROM (
        SELECT id FROM adapters WHERE tenant_id = ${tenantId}::uuid AND deleted_at IS NULL
        UNION ALL SELECT id FROM deployments WHERE tenant_id = ${tenantId}::uuid AND deleted_at IS NULL
        UNION ALL SELECT id FROM api_keys WHERE tenant_id = ${tenantId}::uuid AND revoked_at IS NULL
        UNION ALL SELECT id FROM batches WHERE tenant_id = ${tenantId}::uuid
        UNION ALL SELECT id FROM batch_files WHERE tenant_id = ${tenantId}::uuid AND ready_at IS NOT NULL AND deleted_at IS NULL
        UNION ALL SELECT id FROM statements WHERE tenant_id = ${tenantId}::uuid
        UNION ALL SELECT id FROM memberships WHERE tenant_id = ${tenantId}::uuid
        UNION ALL SELECT user_id FROM memberships WHERE tenant_id = ${tenantId}::uuid
        UNION ALL SELECT id FROM invitations WHERE tenant_id = ${tenantId}::uuid AND status = 'pending' AND expires_at > now()
        UNION ALL SELECT ${tenantId}::uuid
      ) AS thing WHERE id = ANY(${[...ids]}::uuid[])`;
    return new Set(rows.map(({ id }) => id));
  }

  async has(action: string, resourceId: string): Promise<boolean> {
    return (await this.db.tx.auditEvent.count({ where: { tenantId: this.db.tenantId, action, resourceId }, take: 1 })) > 0;
  }

  /** Removes up to `limit` events from before `time`, and answers how many. Only the role that it switches to may. */
  async purge(time: Date, limit: number): Promise<number> {
    const { tenantId, tx } = this.db;
    await tx.$executeRaw`SET LOCAL ROLE aril_retention`;
    const removed = await tx.$executeRaw`
      DELETE FROM audit_events WHERE tenant_id = ${tenantId}::uuid AND id IN (
        SELECT id FROM audit_events WHERE tenant_id = ${tenantId}::uuid AND created_at < ${time} ORDER BY created_at LIMIT ${limit})`;
    await tx.$executeRaw`RESET ROLE`;
    return removed;
  }

  private matching({ actorType, actorId, action, resourceType, resourceId, from, to }: AuditFilter): Prisma.AuditEventWhereInput {
    const createdAt = { ...(from ? { gte: from } : {}), ...(to ? { lt: to } : {}) };
    const asked = Object.entries({ actorType, actorId, action, resourceType, resourceId }).filter(([, value]) => value);
    return { tenantId: this.db.tenantId, createdAt, ...Object.fromEntries(asked) };
  }
}
