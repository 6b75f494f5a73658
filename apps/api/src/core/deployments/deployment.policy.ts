import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';
import { requireAllTargets } from '../../base/auth/targets.js';

/** Whoever may see adapters may see which of them answers. */
export const mayReadDeployments = (caller: Caller): void => requirePermission(caller, 'adapters:read');

/** Whoever may manage adapters may say which of them answers: everyone in a tenant, and its API keys that have the permission. */
export function mayManageDeployments(caller: Caller): void {
  if (caller.userId === null && caller.apiKeyId === null) {
    throw new ArilError('FORBIDDEN', 'Deployments are managed by members of the tenant and by its API keys.');
  }
  requirePermission(caller, 'adapters:write');
  requireAllTargets(caller, 'it makes, changes and deletes no deployments.');
}
