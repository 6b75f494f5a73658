import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';

/** Limits are read beside what was used of them. */
export const mayReadLimits = (caller: Caller): void => requirePermission(caller, 'usage:read');

/** A key that could change them could lift its own. */
export function mayChangeLimits(caller: Caller): void {
  if (caller.userId === null) throw new ArilError('FORBIDDEN', 'Limits are changed by signed-in people, not by API keys.');
  if (caller.role === 'MEMBER') throw new ArilError('FORBIDDEN', 'Only owners and admins of the tenant change limits.');
}
