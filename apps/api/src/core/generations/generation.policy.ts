/**
 * Who may do what with generations. Every member of a tenant and every one of its API keys that has the permission may generate, and may see
 * and cancel whatever the tenant generates: a tenant is one customer. Other tenants' generations do not exist here, and for
 * a key that is held to certain targets those of others neither.
 */
import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { requirePermission } from '../../base/auth/permissions.js';
import { mayName } from '../../base/auth/targets.js';
import { type GenerationRow, targetIdOf } from '../../models/generation.model.js';

export const mayGenerate = (caller: Caller): void => requirePermission(caller, 'inference');

export const isVisibleTo = (caller: Caller, row: GenerationRow): boolean => row.tenantId === caller.tenantId && mayName(caller, targetIdOf(row));

export function visibleTo(caller: Caller, row: GenerationRow | null, id: string): GenerationRow {
  if (row && isVisibleTo(caller, row)) return row;
  throw new ArilError('NOT_FOUND', `there is no generation ${JSON.stringify(id.slice(0, 80))}`, 'id');
}
