import type { IncomingHttpHeaders } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { GqlExecutionContext, type GqlContextType } from '@nestjs/graphql';
import type { Caller } from '../auth/caller.js';

/**
 * As much of a request as identity needs. An Express request is one; so is what the WebSocket subscriptions make
 * of an upgrade's headers and the connection's parameters.
 */
export interface ApiRequest {
  headers: IncomingHttpHeaders;
  /** As Express judges it, by `TRUST_PROXY`. undefined: not known. */
  ip?: string | undefined;
  /** Set by `CallerGuard`. */
  caller?: Caller;
  /** Told before anything is done for the caller. May throw. */
  onCaller?: (caller: Caller) => void;
}

/** The request of an HTTP route, or the `req` of the GraphQL context. */
export function requestOf(context: ExecutionContext): ApiRequest {
  if (context.getType<GqlContextType>() !== 'graphql') return context.switchToHttp().getRequest<ApiRequest>();
  return GqlExecutionContext.create(context).getContext<{ req: ApiRequest }>().req;
}
