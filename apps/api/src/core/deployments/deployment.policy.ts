import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

/** Whoever may manage adapters may say which of them answers: everyone in a tenant, and its API keys. */
export function mayManageDeployments(caller: Caller): void {
  if (caller.userId === null && caller.apiKeyId === null) {
    throw new ArilError('FORBIDDEN', 'Deployments are managed by members of the tenant and by its API keys.');
  }
}
