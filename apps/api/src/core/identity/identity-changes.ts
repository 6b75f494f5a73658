/** What a changed row of an identity table means, as events of the audit log. Passwords and tokens are never among the fields. */
import type { DBTransactionAdapter } from 'better-auth';
import { currentActor } from '../../base/auth/request-identity.js';
import type { NewAuditEvent } from '../../models/audit-event.model.js';
import type { AuditAction } from '../audit/audit-actions.js';
import { isSignInPending } from './second-factor.js';
import { actorColumns, type AuditResource, type Change, describeChange } from '../audit/audit-event.js';

type Rows = DBTransactionAdapter;
export type IdentityRow = { id: string } & Record<string, unknown>;
type Before = IdentityRow | null;

export interface IdentityEvent {
  tenantId: string;
  action: AuditAction;
  resource: AuditResource;
  change: Change;
  /** Who did it where nobody is signed in: whoever it is about. */
  userId: string | null;
}

interface UserRow {
  id: string;
  name: string;
  email: string;
}

const findUser = (rows: Rows, id: string): Promise<UserRow | null> => rows.findOne<UserRow>({ model: 'user', where: [{ field: 'id', value: id }] });

const text = (row: Before, field: string): string => String(row?.[field] ?? '');

/** As people's entries are called in the log. */
const labelOf = (user: UserRow | null): string => (user ? `${user.name} (${user.email})` : 'Unknown');

const TENANT: Describe = async (_rows, before, after) => {
  if (!after) return [];
  const resource = { id: after.id, label: text(after, 'name') };
  const fields = (row: IdentityRow) => ({ name: text(row, 'name') });
  if (!before) return [{ tenantId: after.id, action: 'tenant.create', resource, change: { after: { ...fields(after), slug: text(after, 'slug') } }, userId: null }];
  return Promise.resolve([{ tenantId: after.id, action: 'tenant.rename', resource, change: { before: fields(before), after: fields(after) }, userId: null }]);
};

/** Who comes in does so by an invitation, or has made the tenant, which says so itself. */
const MEMBER: Describe = async (rows, before, after) => {
  const row = (after ?? before) as IdentityRow;
  const [tenantId, userId] = [text(row, 'organizationId'), text(row, 'userId')];
  const user = await findUser(rows, userId);
  if (!before) return accepted(rows, tenantId, userId, user?.email ?? '', text(row, 'role'));
  const resource = { id: row.id, label: labelOf(user) };
  const role = (of: IdentityRow) => ({ role: text(of, 'role') });
  if (!after) return [{ tenantId, action: 'member.remove', resource, change: { before: role(before) }, userId }];
  return [{ tenantId, action: 'member.updateRole', resource, change: { before: role(before), after: role(after) }, userId: null }];
};

async function accepted(rows: Rows, tenantId: string, userId: string, email: string, role: string): Promise<IdentityEvent[]> {
  const [invitation] = await rows.findMany<IdentityRow>({
    model: 'invitation',
    where: [{ field: 'organizationId', value: tenantId }, { field: 'email', value: email.toLowerCase() }, { field: 'status', value: 'accepted' }],
    sortBy: { field: 'createdAt', direction: 'desc' },
    limit: 1,
  });
  if (!invitation) return [];
  return [{ tenantId, action: 'invitation.accept', resource: { id: invitation.id, label: email }, change: { after: { role } }, userId }];
}

const BY_STATUS: Partial<Record<string, AuditAction>> = { canceled: 'invitation.revoke', rejected: 'invitation.decline' };

/** An acceptance may yet fail: it is the new member's row that says it. */
const INVITATION: Describe = (_rows, before, after) => {
  if (!after) return Promise.resolve([]);
  const common = { tenantId: text(after, 'organizationId'), resource: { id: after.id, label: text(after, 'email') }, userId: null };
  const fields = (row: IdentityRow) => ({ role: text(row, 'role'), expiresAt: row['expiresAt'] as Date });
  if (!before) return Promise.resolve([{ ...common, action: 'invitation.create', change: { after: { email: text(after, 'email'), ...fields(after) } } }]);
  const status = (row: IdentityRow) => ({ status: text(row, 'status') });
  const [was, is] = [status(before), status(after)];
  const action = BY_STATUS[is.status];
  if (was.status !== is.status) return Promise.resolve(action ? [{ ...common, action, change: { before: was, after: is } }] : []);
  return Promise.resolve([{ ...common, action: 'invitation.renew', change: { before: fields(before), after: fields(after) } }]);
};

/** Of the tenant that the session works in. One that has run out was not ended by anybody; one that waits for a code is none yet. */
const SESSION: Describe = async (rows, before, after) => {
  const row = (after ?? before) as IdentityRow;
  const tenantId = text(row, 'activeOrganizationId');
  if (!tenantId || (before && after) || isSignInPending() || (row['expiresAt'] as Date) <= new Date()) return [];
  const userId = text(row, 'userId');
  const resource = { id: userId, label: labelOf(await findUser(rows, userId)) };
  return [{ tenantId, action: after ? 'user.signIn' : 'user.signOut', resource, change: {}, userId }];
};

const ACCOUNT: Describe = (rows, before, after) => {
  if (!before || !after || before['password'] === after['password']) return Promise.resolve([]);
  return inTenantsOf(rows, text(after, 'userId'), 'user.changePassword', {});
};

const USER: Describe = (rows, before, after) => {
  if (!before || !after) return Promise.resolve([]);
  const [had, has] = [before, after].map((row) => Boolean(row['twoFactorEnabled']));
  if (had !== has) return inTenantsOf(rows, after.id, has ? 'user.turnOnSecondFactor' : 'user.turnOffSecondFactor', {});
  const fields = (row: IdentityRow) => ({ name: text(row, 'name'), email: text(row, 'email') });
  return inTenantsOf(rows, after.id, 'user.update', { before: fields(before), after: fields(after) });
};

/** What concerns a person is of interest wherever they are a member. */
export async function inTenantsOf(rows: Rows, userId: string, action: AuditAction, change: Change): Promise<IdentityEvent[]> {
  const memberships = await rows.findMany<{ organizationId: string }>({ model: 'member', where: [{ field: 'userId', value: userId }] });
  const resource = { id: userId, label: labelOf(await findUser(rows, userId)) };
  return memberships.map(({ organizationId: tenantId }) => ({ tenantId, action, resource, change, userId }));
}

/** `before` null: the row is new; `after` null: it is gone. Of a row that is as it was, an event of nothing, which is not written. */
type Describe = (rows: Rows, before: Before, after: Before) => Promise<IdentityEvent[]>;
const DESCRIBE: Record<string, Describe> = {
  organization: TENANT,
  member: MEMBER,
  invitation: INVITATION,
  session: SESSION,
  account: ACCOUNT,
  user: USER,
};

export const isAudited = (model: string): boolean => Object.hasOwn(DESCRIBE, model);

export const identityEvents = (rows: Rows, model: string, before: Before, after: Before): Promise<IdentityEvent[]> =>
  DESCRIBE[model]?.(rows, before, after) ?? Promise.resolve([]);

/** null: nothing was changed. */
export async function toAuditEvent(rows: Rows, { tenantId, action, resource, change, userId }: IdentityEvent): Promise<NewAuditEvent | null> {
  const described = describeChange(action, resource, change);
  if (!described) return null;
  const actor = currentActor() ?? (userId === null ? null : { userId });
  const user = actor && 'userId' in actor ? await findUser(rows, actor.userId) : null;
  return { tenantId, ...described, ...actorColumns(actor, user && { name: user.name, handle: user.email }) };
}
