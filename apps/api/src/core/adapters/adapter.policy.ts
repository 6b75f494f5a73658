import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';
import { requireAllTargets } from '../../base/auth/targets.js';

/** Everyone in a tenant, and its API keys that have the permission, may see the tenant's adapters and deployments. */
export const mayReadAdapters = (caller: Caller): void => requirePermission(caller, 'adapters:read');

/** Likewise: bring, describe and remove adapters. What is made and removed is nothing that a key can be held to. */
export function mayManageAdapters(caller: Caller): void {
  if (caller.userId === null && caller.apiKeyId === null) {
    throw new ArilError('FORBIDDEN', 'Adapters are managed by members of the tenant and by its API keys.');
  }
  requirePermission(caller, 'adapters:write');
  requireAllTargets(caller, 'it brings, changes and deletes no adapters.');
}
