import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

/** Everyone in a tenant, and its API keys, may bring, describe and remove the tenant's adapters. */
export function mayManageAdapters(caller: Caller): void {
  if (caller.userId === null && caller.apiKeyId === null) {
    throw new ArilError('FORBIDDEN', 'Adapters are managed by members of the tenant and by its API keys.');
  }
}
