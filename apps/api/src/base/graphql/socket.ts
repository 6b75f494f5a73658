/** Subscriptions over WebSockets (the graphql-transport-ws protocol) at the same path as queries. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { execute, subscribe, type ExecutionArgs, type GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Context, ServerOptions } from 'graphql-ws';
import { ClsServiceManager, CLS_ID } from 'nestjs-cls';
import type { ApiRequest } from '../http/api-request.js';
import { formatGraphqlError } from './graphql-error.js';
import { validateWithLimits } from './limits.js';

type SocketContext = Context<Record<string, unknown>, { request: IncomingMessage }>;

/**
 * Made anew for every operation, so that a revoked key or an ended session cannot start another one on an old
 * socket. Browsers cannot set headers on an upgrade: `authorization` may come as a connection parameter.
 */
export function socketRequest(context: SocketContext): ApiRequest {
  const { headers } = context.extra.request;
  const given = context.connectionParams?.authorization ?? context.connectionParams?.Authorization;
  return { headers: typeof given === 'string' ? { ...headers, authorization: given } : { ...headers } };
}

export const isSocketContext = (source: object): source is SocketContext => 'extra' in source;

/** Every operation has its own id and its own ambient context, as HTTP requests do. */
function inContext<T>(work: () => T): T {
  const cls = ClsServiceManager.getClsService();
  return cls.run(() => {
    cls.set(CLS_ID, randomUUID());
    return work();
  });
}

const format = (error: GraphQLError): GraphQLFormattedError => formatGraphqlError(error.toJSON(), error);

export function socketOptions(path: string): { path: string } & Partial<ServerOptions<Record<string, unknown>, { request: IncomingMessage }>> {
  return {
    path,
    validate: validateWithLimits,
    execute: (args: ExecutionArgs) => inContext(() => execute(args)),
    subscribe: (args: ExecutionArgs) => inContext(() => subscribe(args)),
    onError: (_context, _id, _payload, errors) => errors.map((error) => format(error as GraphQLError)),
    onNext: (_context, _id, _payload, _args, result) => {
      if (!result.errors) return;
      return { ...result, errors: result.errors.map((error) => format(error as GraphQLError)) };
    },
  };
}
