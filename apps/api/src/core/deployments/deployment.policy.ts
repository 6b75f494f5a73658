import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';
import { mayName, requireAllTargets } from '../../base/auth/targets.js';

/** Whoever may see adapters may see which of them answers. */
export const mayReadDeployments = (caller: Caller): void => requirePermission(caller, 'adapters:read');

/** Of them, a key that is held to certain targets sees those, with all their variants. */
export function visibleTo<Row extends { id: string }>(caller: Caller, row: Row): Row {
  if (mayName(caller, row.id)) return row;
  throw new ArilError('NOT_FOUND', 'id: there is no such deployment', 'id');
}

/** Whoever may manage adapters may say which of them answers: everyone in a tenant, and its API keys that have the permission. */
export function mayManageDeployments(caller: Caller): void {
  if (caller.userId === null && caller.apiKeyId === null) {
    throw new ArilError('FORBIDDEN', 'Deployments are managed by members of the tenant and by its API keys.');
  }
  requirePermission(caller, 'adapters:write');
  requireAllTargets(caller, 'it makes, changes and deletes no deployments.');
}
