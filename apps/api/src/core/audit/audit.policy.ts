import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

/** The log names people, where they signed in from, and what they did: it is for those who answer for the tenant. */
export function mayReadAuditLog(caller: Caller): void {
  if (caller.userId === null) throw new ArilError('FORBIDDEN', 'The audit log is read by signed-in people, not by API keys.');
  if (caller.role === 'MEMBER') throw new ArilError('FORBIDDEN', 'Only owners and admins of the tenant read its audit log.');
}
