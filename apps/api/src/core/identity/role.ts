import type { Role } from '../../base/auth/caller.js';

/** Better Auth keeps roles as text, several of them joined by commas; the strongest one counts. */
export function highestRole(roles: string): Role {
  const names = roles.split(',').map((name) => name.trim());
  if (names.includes('owner')) return 'OWNER';
  return names.includes('admin') ? 'ADMIN' : 'MEMBER';
}
