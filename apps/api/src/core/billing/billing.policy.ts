/**
 * Everyone in a tenant, and its API keys that have the permission, may see what it owes and whom its statements are addressed to. Changing the
 * latter is for people who answer for the tenant.
 */
import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';
import { requireAllTargets } from '../../base/auth/targets.js';

export function mayReadStatements(caller: Caller): void {
  requirePermission(caller, 'usage:read');
  requireAllTargets(caller, 'statements name everything that the tenant has used.');
}

export function mayEditBillingDetails(caller: Caller): void {
  if (caller.userId === null) throw new ArilError('FORBIDDEN', 'Billing details are changed by signed-in people, not by API keys.');
  if (caller.role === 'MEMBER') throw new ArilError('FORBIDDEN', 'Only owners and admins of the tenant change its billing details.');
}
