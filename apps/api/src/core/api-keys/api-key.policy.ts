import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

/** A key that could make or see keys could outlive its own revocation. */
export function mayListApiKeys(caller: Caller): void {
  if (caller.userId === null) throw new ArilError('FORBIDDEN', 'API keys are managed by signed-in people, not by API keys.');
}

export function mayManageApiKeys(caller: Caller): void {
  mayListApiKeys(caller);
  if (caller.role === 'MEMBER') throw new ArilError('FORBIDDEN', 'Only owners and admins of the tenant manage API keys.');
}
