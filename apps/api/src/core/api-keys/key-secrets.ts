/** Which secrets of a key work: the present one, and for a while the one that it had before it was rotated. */
import type { KeyGrant } from '../../base/auth/caller.js';
import { PERMISSIONS, type Permission } from '../../base/auth/permissions.js';
import type { ApiKeyRow, SecretColumns } from '../../models/api-key.model.js';

export const hasExpired = ({ expiresAt }: ApiKeyRow, now: Date): boolean => expiresAt !== null && expiresAt <= now;

export const previousWorks = ({ previousEndsAt }: ApiKeyRow, now: Date): boolean => previousEndsAt !== null && previousEndsAt > now;

/** The database refuses others; a row that has one all the same gives nothing by it. */
export const permissionsOf = ({ permissions }: ApiKeyRow): Permission[] => PERMISSIONS.filter((one) => permissions.includes(one));

/** null: all. */
export const targetIdsOf = ({ allTargets, targetIds }: ApiKeyRow): string[] | null => (allTargets ? null : targetIds);

/** Whether that secret of a key that is neither revoked nor unknown still works. */
export function secretWorks(key: ApiKeyRow, secretVersion: number, now: Date): boolean {
  if (hasExpired(key, now)) return false;
  return secretVersion === key.secretVersion || (secretVersion === key.secretVersion - 1 && previousWorks(key, now));
}

export interface SecretInUse extends KeyGrant {
  lastUsedAt: Date | null;
}

/** Of the secret whose hash the row was found by. */
export function secretInUse(key: ApiKeyRow, hash: string): SecretInUse {
  const held = { permissions: permissionsOf(key), targets: targetIdsOf(key) };
  if (key.keyHash === hash) return { ...held, secretVersion: key.secretVersion, lastUsedAt: key.secretLastUsedAt };
  return { ...held, secretVersion: key.secretVersion - 1, lastUsedAt: key.previousLastUsedAt };
}

/** What a rotation writes. `endsAt` null: the secret that was there ends now. The one before that ends in any case. */
export function rotated(key: ApiKeyRow, fresh: { prefix: string; keyHash: string }, endsAt: Date | null): SecretColumns {
  const kept = endsAt !== null;
  return {
    ...fresh,
    secretVersion: key.secretVersion + 1,
    secretLastUsedAt: null,
    previousPrefix: kept ? key.prefix : null,
    previousKeyHash: kept ? key.keyHash : null,
    previousEndsAt: endsAt,
    previousLastUsedAt: kept ? key.secretLastUsedAt : null,
  };
}
