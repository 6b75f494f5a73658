/**
 * Who may do what with batches and their files. They are another way to generate, and a tenant is one customer, as with
 * generations. But a batch can be about any target: a key that is held to certain ones sees those that it has begun itself.
 */
import type { Caller } from '../../base/auth/caller.js';
import { targetsOf } from '../../base/auth/targets.js';
import type { BatchFileRow } from '../../models/batch-file.model.js';

export { mayGenerate as mayUseBatches } from '../generations/generation.policy.js';

/** null: everybody's. */
export const onlyOfKey = (caller: Caller): string | null => (targetsOf(caller) === null ? null : caller.apiKeyId);

export const maySee = (caller: Caller, { tenantId, apiKeyId }: Pick<BatchFileRow, 'tenantId' | 'apiKeyId'>): boolean =>
  tenantId === caller.tenantId && (targetsOf(caller) === null || apiKeyId === caller.apiKeyId);
