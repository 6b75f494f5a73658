/**
 * Who is asking, once a session or an API key has been checked. Every tenant rule starts from this.
 */
import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { requestOf, type ApiRequest } from '../http/api-request.js';
import type { Permission } from './permissions.js';
import type { Actor } from './request-identity.js';

export type Role = 'OWNER' | 'ADMIN' | 'MEMBER';

/** What the secret that was sent stands for. */
export interface KeyGrant {
  permissions: readonly Permission[];
  /** Ids of the adapters, deployments and base models that it may name; null: all. */
  targets: readonly string[] | null;
  /** Which of its key's secrets: a key that is rotated has two for a while. */
  secretVersion: number;
}

export interface Caller {
  tenantId: string;
  /** null: an API key. */
  userId: string | null;
  /** null: a person. */
  apiKeyId: string | null;
  /** null: a person. */
  grant: KeyGrant | null;
  /** API keys act as MEMBER. */
  role: Role;
}

/** Whom the audit log names for what the caller does. */
export function actorOf({ userId, apiKeyId }: Caller): Actor {
  if (userId !== null) return { userId };
  if (apiKeyId !== null) return { apiKeyId };
  throw new Error('a caller that is neither a person nor an API key');
}

/** Turns a request's credentials into a caller. `core/identity` provides it; everything else asks for it by this class. */
export abstract class CallerResolver {
  /** null: no credentials. Throws UNAUTHENTICATED for bad ones, FORBIDDEN for a cookie sent by a foreign page. */
  abstract resolve(request: ApiRequest): Promise<Caller | null>;
  /** Like `resolve`, but no credentials are UNAUTHENTICATED too. */
  abstract require(request: ApiRequest): Promise<Caller>;
  /** Whether the secret, or the membership, that made a caller is good still. */
  abstract stillHolds(caller: Caller): Promise<boolean>;
  /** The caller that began something which goes on without him, as he is now. null: he may nothing any more. */
  abstract revive(begun: Pick<Caller, 'tenantId' | 'userId' | 'apiKeyId'>): Promise<Caller | null>;
}

export const PUBLIC_KEY = 'aril:public';
/** Routes and resolvers that anyone may call. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC_KEY, true);

/** The caller of a guarded route or resolver. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const caller = requestOf(context).caller;
  if (!caller) throw new Error('@CurrentCaller is used where CallerGuard has not run');
  return caller;
});
