/** Rows as the API shows them. */
import type { AuditActorRow, AuditEventRow } from '../../models/audit-event.model.js';
import type { AuditActor, AuditChangeType, AuditEventType } from './audit.types.js';

export const actorView = ({ actorType, actorId, actorName, actorHandle }: AuditActorRow): AuditActor => ({
  type: actorType,
  id: actorId,
  name: actorName,
  handle: actorHandle,
});

/** `changes` were written by us, so their shape is known. */
export const auditEventView = (row: AuditEventRow, existing: ReadonlySet<string>): AuditEventType => ({
  id: row.id,
  createdAt: row.createdAt,
  actor: actorView(row),
  action: row.action,
  resource: { type: row.resourceType, id: row.resourceId, label: row.resourceLabel, exists: existing.has(row.resourceId) },
  changes: row.changes as unknown as AuditChangeType[],
  requestId: row.requestId,
  ipAddress: row.ipAddress,
  userAgent: row.userAgent,
});
