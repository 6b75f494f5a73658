/** Which tenant a new session works in. Runs inside Better Auth's transaction, on Better Auth's own adapter. */
import { randomBytes } from 'node:crypto';
import type { DBTransactionAdapter } from 'better-auth';

type Rows = DBTransactionAdapter;
interface UserRow {
  id: string;
  name: string;
  tenantName?: string | null;
}

const SLUG_CHARACTERS_MAX = 48;

/** The tenant of the user's oldest membership; without any, a new one with the user as its owner. */
export async function ensureTenant(rows: Rows, userId: string): Promise<string> {
  const [membership] = await rows.findMany<{ organizationId: string }>({
    model: 'member',
    where: [{ field: 'userId', value: userId }],
    sortBy: { field: 'createdAt', direction: 'asc' },
    limit: 1,
  });
  return membership?.organizationId ?? createTenant(rows, userId);
}

async function createTenant(rows: Rows, userId: string): Promise<string> {
  const user = await rows.findOne<UserRow>({ model: 'user', where: [{ field: 'id', value: userId }] });
  if (!user) throw new Error('a session for a user that does not exist');
  const name = user.tenantName?.trim() || `${user.name}'s team`;
  const createdAt = new Date();
  const slug = await freeSlug(rows, name);
  const tenant = await rows.create<{ name: string; slug: string; createdAt: Date }, { id: string }>({
    model: 'organization',
    data: { name, slug, createdAt },
  });
  await rows.create({ model: 'member', data: { organizationId: tenant.id, userId, role: 'owner', createdAt } });
  return tenant.id;
}

/** Taken ones get random letters; trying numbers in turn would tell how many tenants share a name. */
async function freeSlug(rows: Rows, name: string): Promise<string> {
  const slug = tenantSlug(name);
  const taken = await rows.findOne({ model: 'organization', where: [{ field: 'slug', value: slug }] });
  return taken ? `${slug}-${randomBytes(4).toString('hex')}` : slug;
}

/** "Fern & Thistle" → "fern-thistle"; accents go, other scripts become "team". */
export function tenantSlug(name: string): string {
  const ascii = name.normalize('NFKD').replace(/\p{Mark}/gu, '').toLowerCase();
  const words = ascii.replace(/[^a-z0-9]+/g, '-').slice(0, SLUG_CHARACTERS_MAX);
  return words.replace(/^-+|-+$/g, '') || 'team';
}
