/** What is written down of a change: the fields that became others. */
import { type Actor, currentOrigin } from '../../base/auth/request-identity.js';
import type { NewAuditEvent } from '../../models/audit-event.model.js';
import { type AuditAction, resourceTypeOf } from './audit-actions.js';

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };
/** Whoever records chooses the fields, one by one: what is secret, or is a prompt, is never among them. */
export type AuditFields = Readonly<Record<string, Plain | Date | bigint | undefined>>;

export interface AuditChange {
  field: string;
  /** null: there was none. */
  before: Plain;
  after: Plain;
}

export interface AuditResource {
  id: string;
  /** What people call it. */
  label: string;
}

export interface Change {
  before?: AuditFields;
  after?: AuditFields;
}

type Described = Pick<NewAuditEvent, 'action' | 'resourceType' | 'resourceId' | 'resourceLabel' | 'changes' | 'requestId' | 'ipAddress' | 'userAgent'>;

/** null: of a thing that was there before and after, nothing is different. */
export function describeChange(action: AuditAction, { id, label }: AuditResource, change: Change): Described | null {
  const changes = changesOf(change);
  if (change.before && change.after && changes.length === 0) return null;
  return { action, resourceType: resourceTypeOf(action), resourceId: id, resourceLabel: label, changes, ...currentOrigin() };
}

export function changesOf({ before = {}, after = {} }: Change): AuditChange[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields
    .map((field) => ({ field, before: plain(before[field]), after: plain(after[field]) }))
    .filter((one) => JSON.stringify(one.before) !== JSON.stringify(one.after));
}

function plain(value: AuditFields[string]): Plain {
  if (value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'bigint' ? value.toString() : value;
}

interface Named {
  name: string;
  handle: string | null;
}

/** `named` null: they are gone meanwhile. */
export function actorColumns(actor: Actor | null, named: Named | null): Pick<NewAuditEvent, 'actorType' | 'actorId' | 'actorName' | 'actorHandle'> {
  if (!actor) return { actorType: 'SYSTEM', actorId: null, actorName: 'System', actorHandle: null };
  const { name, handle } = named ?? { name: 'Unknown', handle: null };
  if ('userId' in actor) return { actorType: 'USER', actorId: actor.userId, actorName: name, actorHandle: handle };
  return { actorType: 'API_KEY', actorId: actor.apiKeyId, actorName: name, actorHandle: handle };
}
