import type { Role } from '../../base/auth/caller.js';

/**
 * The one rule of who is in a tenant: owners decide on every role, admins bring in and remove members. It holds for
 * inviting, for seeing and revoking invitations (whose links admit), for removing, and for both ends of a change of role.
 * Leaving is everybody's own affair, the last owner's excepted.
 */
export const mayDecideOn = (actor: Role | null, role: Role): boolean => actor === 'OWNER' || (actor === 'ADMIN' && role === 'MEMBER');
