/** Which tenant a new session works in. Runs inside Better Auth's transaction, on Better Auth's own adapter. */
import type { DBTransactionAdapter } from 'better-auth';
import { newTenantSlug } from './tenant-name.js';

type Rows = DBTransactionAdapter;
interface UserRow {
  id: string;
  name: string;
  email: string;
  tenantName?: string | null;
}

/**
 * The tenant of the user's oldest membership; without any, a new one with the user as its owner. null: somebody who
 * named no tenant and is expected in another one, by an invitation that is open; nothing is made for them to leave behind.
 */
export async function ensureTenant(rows: Rows, userId: string): Promise<string | null> {
  const [membership] = await rows.findMany<{ organizationId: string }>({
    model: 'member',
    where: [{ field: 'userId', value: userId }],
    sortBy: { field: 'createdAt', direction: 'asc' },
    limit: 1,
  });
  if (membership) return membership.organizationId;
  const user = await rows.findOne<UserRow>({ model: 'user', where: [{ field: 'id', value: userId }] });
  if (!user) throw new Error('a session for a user that does not exist');
  const name = user.tenantName?.trim();
  if (!name && (await isInvited(rows, user.email))) return null;
  return createTenant(rows, userId, name || `${user.name}'s team`);
}

async function isInvited(rows: Rows, email: string): Promise<boolean> {
  const where = [{ field: 'email', value: email.toLowerCase() }, { field: 'status', value: 'pending' }];
  const open = await rows.findMany<{ expiresAt: Date }>({ model: 'invitation', where });
  return open.some(({ expiresAt }) => expiresAt > new Date());
}

async function createTenant(rows: Rows, userId: string, name: string): Promise<string> {
  const createdAt = new Date();
  const slug = await newTenantSlug(rows, name);
  const tenant = await rows.create<{ name: string; slug: string; createdAt: Date }, { id: string }>({
    model: 'organization',
    data: { name, slug, createdAt },
  });
  await rows.create({ model: 'member', data: { organizationId: tenant.id, userId, role: 'owner', createdAt } });
  return tenant.id;
}
