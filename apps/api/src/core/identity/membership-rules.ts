/**
 * What Better Auth's tenant endpoints must observe beyond its own rules, looked at before they run: who may decide on
 * which role (`membership.policy`), and what a name, a role and an id look like. A request without a session passes:
 * the endpoint itself refuses it.
 */
import type { BetterAuthPlugin, GenericEndpointContext } from 'better-auth';
import { APIError, createAuthMiddleware, getSessionFromCtx } from 'better-auth/api';
import { z } from 'zod';
import type { Role } from '../../base/auth/caller.js';
import { setActor } from '../../base/auth/request-identity.js';
import { fromZodError } from '../../base/errors/error-report.js';
import { highestRole } from './role.js';
import { mayDecideOn } from './membership.policy.js';
import { newTenantSlug, TENANT_NAME } from './tenant-name.js';

type Context = GenericEndpointContext;
interface Acting {
  userId: string;
  /** The tenant the session works in. */
  tenantId: string | null;
}
/** What it returns is merged into the request. */
type Rule = (context: Context, acting: Acting) => Promise<object | void>;

interface InvitationRow {
  organizationId: string;
  inviterId: string;
  role: string;
  status: string;
  expiresAt: Date;
}

const id = z.uuid('expected an id');
/** Better Auth takes several roles, split at commas in some places and trimmed in others; one says all there is. */
const role = z.enum(['owner', 'admin', 'member'], 'expected one of owner, admin, member');
const inTenant = { organizationId: id.nullish() };

function valid<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new APIError('BAD_REQUEST', { code: 'BAD_INPUT', message: fromZodError(parsed.error).message });
}

async function roleIn({ context }: Context, tenantId: string | null, userId: string): Promise<Role | null> {
  if (!tenantId) return null;
  const where = [{ field: 'organizationId', value: tenantId }, { field: 'userId', value: userId }];
  const member = await context.adapter.findOne<{ role: string }>({ model: 'member', where });
  return member ? highestRole(member.role) : null;
}

function allow(actor: Role | null, ...roles: (string | undefined)[]): void {
  if (roles.every((name) => mayDecideOn(actor, highestRole(name ?? 'member')))) return;
  throw new APIError('FORBIDDEN', {
    code: 'FORBIDDEN',
    message: actor === 'ADMIN' ? 'Only owners decide who is an owner or an admin.' : 'Only owners and admins decide who is in the workspace.',
  });
}

const invitation = ({ context }: Context, invitationId: string): Promise<InvitationRow | null> =>
  context.adapter.findOne<InvitationRow>({ model: 'invitation', where: [{ field: 'id', value: invitationId }] });

const invite: Rule = async (context, acting) => {
  const body = valid(z.object({ ...inTenant, email: z.string(), role }), context.body);
  const tenantId = body.organizationId ?? acting.tenantId;
  const actor = await roleIn(context, tenantId, acting.userId);
  allow(actor, body.role);
  // A new invitation replaces an open one, which must then also be theirs to revoke.
  const where = [{ field: 'organizationId', value: tenantId }, { field: 'email', value: body.email.toLowerCase() }, { field: 'status', value: 'pending' }];
  const open = await context.context.adapter.findMany<InvitationRow>({ model: 'invitation', where });
  allow(actor, ...open.filter((row) => row.expiresAt > new Date()).map((row) => row.role));
};

const revoke: Rule = async (context, { userId }) => {
  const row = await invitation(context, valid(z.object({ invitationId: id }), context.body).invitationId);
  if (!row) return;
  allow(await roleIn(context, row.organizationId, userId), row.role);
  if (row.status !== 'pending') throw new APIError('BAD_REQUEST', { code: 'INVITATION_NOT_FOUND', message: 'This invitation is not open any more.' });
};

/** An invitation is worth what its inviter may still decide: one who left, or is no owner any more, admits nobody. */
const accept: Rule = async (context) => {
  const row = await invitation(context, valid(z.object({ invitationId: id }), context.body).invitationId);
  if (!row || mayDecideOn(await roleIn(context, row.organizationId, row.inviterId), highestRole(row.role))) return;
  throw new APIError('BAD_REQUEST', { code: 'INVITATION_NOT_FOUND', message: 'Whoever sent this invitation may not admit you any more.' });
};

const changeRole: Rule = async (context, acting) => {
  const body = valid(z.object({ ...inTenant, memberId: id, role }), context.body);
  const target = await context.context.adapter.findOne<{ role: string }>({ model: 'member', where: [{ field: 'id', value: body.memberId }] });
  allow(await roleIn(context, body.organizationId ?? acting.tenantId, acting.userId), body.role, target?.role);
};

const remove: Rule = async (context, acting) => {
  const body = valid(z.object({ ...inTenant, memberIdOrEmail: id }), context.body);
  const target = await context.context.adapter.findOne<{ role: string }>({ model: 'member', where: [{ field: 'id', value: body.memberIdOrEmail }] });
  allow(await roleIn(context, body.organizationId ?? acting.tenantId, acting.userId), target?.role);
};

const create: Rule = async (context) => {
  const { name } = valid(z.strictObject({ name: TENANT_NAME, slug: z.string().nullish() }), context.body);
  return { context: { body: { name, slug: await newTenantSlug(context.context.adapter, name) } } };
};

/** The slug is for good: it may stand in somebody's bookmarks and scripts. */
const rename: Rule = async (context) => {
  const { data } = valid(z.object({ ...inTenant, data: z.strictObject({ name: TENANT_NAME }) }), context.body);
  return Promise.resolve({ context: { body: { data } } });
};

/** Postgres would fail on what is no UUID. */
const ids: Rule = (context) => {
  const given = { ...(context.query as object | undefined), ...(context.body as object | undefined) };
  const named = Object.entries(given).filter(([field, value]) => /(^i|I)d$/.test(field) && typeof value === 'string');
  valid(z.record(z.string(), id), Object.fromEntries(named));
  return Promise.resolve();
};

const RULES: Record<string, Rule> = {
  create,
  update: rename,
  'invite-member': invite,
  'cancel-invitation': revoke,
  'accept-invitation': accept,
  'update-member-role': changeRole,
  'remove-member': remove,
};

const before = (rule: Rule, matcher: (path: string) => boolean) => ({
  matcher: ({ path }: { path?: string | undefined }) => matcher(path ?? ''),
  handler: createAuthMiddleware(async (context) => {
    const found = await getSessionFromCtx<Record<string, unknown>, { activeOrganizationId?: string | null }>(context);
    if (!found) return;
    setActor({ userId: found.user.id });
    return rule(context, { userId: found.user.id, tenantId: found.session.activeOrganizationId ?? null });
  }),
});

export const membershipRules = {
  id: 'aril-membership-rules',
  hooks: {
    before: [
      before(ids, (path) => path.startsWith('/organization/')),
      ...Object.entries(RULES).map(([name, rule]) => before(rule, (path) => path === `/organization/${name}`)),
    ],
  },
} satisfies BetterAuthPlugin;
