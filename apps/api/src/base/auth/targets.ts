/**
 * Which targets an API key is held to: adapters, deployments and base models, by their ids. What it is not held to does
 * not exist for it. A deployment covers its variants where they answer for it, and not where they are asked for themselves.
 */
import { ArilError } from '@aril/contracts';
import type { Caller } from './caller.js';

/** null: all there are, as for people. */
export const targetsOf = ({ grant }: Caller): readonly string[] | null => grant?.targets ?? null;

export const mayName = (caller: Caller, targetId: string): boolean => targetsOf(caller)?.includes(targetId) ?? true;

/** A row that the caller may name. @throws ArilError NOT_FOUND, as for one that is not there */
export function visibleTo<Row extends { id: string }>(caller: Caller, row: Row, what: 'adapter' | 'deployment'): Row {
  if (mayName(caller, row.id)) return row;
  throw new ArilError('NOT_FOUND', `id: there is no such ${what}`, 'id');
}

/** For what is about all targets at once. @throws ArilError FORBIDDEN */
export function requireAllTargets(caller: Caller, what: string): void {
  if (targetsOf(caller) === null) return;
  throw new ArilError('FORBIDDEN', `targets: this API key is held to certain targets, expected one for all: ${what}`);
}
