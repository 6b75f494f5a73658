import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

/** Everyone in a tenant may see its limits. A key that could change them could lift its own. */
export function mayChangeLimits(caller: Caller): void {
  if (caller.userId === null) throw new ArilError('FORBIDDEN', 'Limits are changed by signed-in people, not by API keys.');
  if (caller.role === 'MEMBER') throw new ArilError('FORBIDDEN', 'Only owners and admins of the tenant change limits.');
}
