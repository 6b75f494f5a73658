/**
 * What an API key may be given to do: the one list. A policy asks here before it lets a caller through; people have no
 * permissions, their role decides. `full` is all that keys may do at all, which is never more than a member may.
 */
import { ArilError } from '@aril/contracts';
import type { Caller } from './caller.js';

export const PERMISSIONS = ['full', 'inference', 'adapters:read', 'adapters:write', 'usage:read'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Whoever changes adapters sees what became of them. */
const INCLUDED: Partial<Record<Permission, readonly Permission[]>> = { full: PERMISSIONS, 'adapters:write': ['adapters:read'] };

const includes = (held: Permission, needed: Permission): boolean => held === needed || (INCLUDED[held] ?? []).includes(needed);

/** In the list's order, each once, without those that another one includes. */
export function normalPermissions(chosen: readonly Permission[]): Permission[] {
  return PERMISSIONS.filter((one) => chosen.includes(one) && !chosen.some((other) => other !== one && includes(other, one)));
}

/** @throws ArilError FORBIDDEN that names the missing permission */
export function requirePermission({ grant }: Caller, needed: Permission): void {
  if (grant === null || grant.permissions.some((held) => includes(held, needed))) return;
  const held = grant.permissions.join(', ');
  throw new ArilError('FORBIDDEN', `permissions: this API key has no "${needed}", found ${held}. Owners and admins of the tenant change what a key may do.`);
}
