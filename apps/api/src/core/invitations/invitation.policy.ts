import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

/** A key that could see invitations could let somebody in who outlives it. */
export function mayListInvitations(caller: Caller): void {
  if (caller.userId === null) throw new ArilError('FORBIDDEN', 'Invitations are for signed-in people, not for API keys.');
  if (caller.role === 'MEMBER') throw new ArilError('FORBIDDEN', 'Only owners and admins of the tenant see its invitations.');
}
