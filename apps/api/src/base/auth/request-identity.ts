/**
 * Who a request acts for and where it came from, in its ambient context: what is written down of a change, however deep
 * below the request it is made. Work that no request started has neither.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type ClsService, ClsServiceManager } from 'nestjs-cls';

export type Actor = { userId: string } | { apiKeyId: string };

export interface Origin {
  ipAddress: string | null;
  userAgent: string | null;
}

const ACTOR = Symbol('whom the request acts for');
const ORIGIN = Symbol('where the request came from');
const USER_AGENT_CHARACTERS_MAX = 512;

/** null: no request is being answered. */
function context(): ClsService | null {
  const cls = ClsServiceManager.getClsService();
  return cls.isActive() ? cls : null;
}

export const setActor = (actor: Actor): void => context()?.set(ACTOR, actor);

/** null: the system itself, or a request that nobody has been found to make yet. */
export const currentActor = (): Actor | null => context()?.get<Actor | undefined>(ACTOR) ?? null;

/** `ipAddress` as Express judges it, which knows which proxies to believe; undefined: not known. */
export function setOrigin(ipAddress: string | undefined, headers: IncomingHttpHeaders): void {
  const userAgent = headers['user-agent']?.slice(0, USER_AGENT_CHARACTERS_MAX) ?? null;
  context()?.set(ORIGIN, { ipAddress: ipAddress ?? null, userAgent } satisfies Origin);
}

export function currentOrigin(): Origin & { requestId: string | null } {
  const cls = context();
  const origin = cls?.get<Origin | undefined>(ORIGIN);
  return { ipAddress: origin?.ipAddress ?? null, userAgent: origin?.userAgent ?? null, requestId: cls?.getId() ?? null };
}
