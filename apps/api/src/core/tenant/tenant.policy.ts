import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';

/** Who is in a tenant is no part of any narrower permission: names and addresses of people. */
export const mayListMembers = (caller: Caller): void => requirePermission(caller, 'full');
