import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';

/** Everyone in a tenant, and its API keys that have the permission, may see what it uses. */
export const mayReadUsage = (caller: Caller): void => requirePermission(caller, 'usage:read');
