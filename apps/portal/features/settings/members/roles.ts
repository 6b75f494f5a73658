import type { Role } from '@/lib/api/generated/graphql';

export const ROLES: Record<Role, string> = { OWNER: 'Owner', ADMIN: 'Admin', MEMBER: 'Member' };

/** As Better Auth writes them. */
export const roleName = (role: Role) => role.toLowerCase() as Lowercase<Role>;

/** Whom somebody may invite and remove; the API has the same rule and the last word. */
export const rolesDecidedBy = (viewer: Role): Role[] =>
  viewer === 'OWNER' ? ['MEMBER', 'ADMIN', 'OWNER'] : viewer === 'ADMIN' ? ['MEMBER'] : [];
