import { randomBytes } from 'node:crypto';
import { lineOfText } from '@aril/contracts';
import type { DBTransactionAdapter } from 'better-auth';

export const TENANT_NAME = lineOfText.trim().min(1, 'expected a name').max(80, 'expected at most 80 characters');

const SLUG_CHARACTERS_MAX = 48;

/** A slug nobody has. Taken ones get random letters; trying numbers in turn would tell how many tenants share a name. */
export async function newTenantSlug(rows: Pick<DBTransactionAdapter, 'findOne'>, name: string): Promise<string> {
  const slug = tenantSlug(name);
  const taken = await rows.findOne({ model: 'organization', where: [{ field: 'slug', value: slug }] });
  return taken ? `${slug}-${randomBytes(4).toString('hex')}` : slug;
}

/** "Fern & Thistle" → "fern-thistle"; accents go, other scripts become "team". */
function tenantSlug(name: string): string {
  const ascii = name.normalize('NFKD').replace(/\p{Mark}/gu, '').toLowerCase();
  const words = ascii.replace(/[^a-z0-9]+/g, '-').slice(0, SLUG_CHARACTERS_MAX);
  return words.replace(/^-+|-+$/g, '') || 'team';
}
