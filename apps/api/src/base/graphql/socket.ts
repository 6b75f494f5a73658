/** Subscriptions over WebSockets (the graphql-transport-ws protocol) at the same path as queries. */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ArilError } from '@aril/contracts';
import { execute, GraphQLError, subscribe, type ExecutionArgs, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import type { Context, ServerOptions } from 'graphql-ws';
import { ClsServiceManager, CLS_ID } from 'nestjs-cls';
import { setOrigin } from '../auth/request-identity.js';
import type { ApiRequest } from '../http/api-request.js';
import { setTraceparent } from '../logging/trace.js';
import { formatGraphqlError } from './graphql-error.js';
import { syntaxProblem, validateWithLimits } from './limits.js';

export type SocketParams = Record<string, unknown>;

/** What a socket has for its operations. */
export interface SocketExtra {
  headers: IncomingHttpHeaders;
  /** undefined: not known. */
  address: string | undefined;
  /** @throws ArilError RATE_LIMITED: the tenant has too many sockets */
  signIn(tenantId: string): void;
}

type SocketContext = Context<SocketParams, SocketExtra>;

/**
 * Made anew for every operation, so that a revoked key or an ended session cannot start another one on an old
 * socket. Browsers cannot set headers on an upgrade: `authorization` may come as a connection parameter.
 */
function socketRequest({ extra, connectionParams }: SocketContext): ApiRequest {
  const given = connectionParams?.authorization ?? connectionParams?.Authorization;
  const headers = typeof given === 'string' ? { ...extra.headers, authorization: given } : { ...extra.headers };
  return { headers, ip: extra.address, onCaller: ({ tenantId }) => extra.signIn(tenantId) };
}

/** Of one socket, under way. Each is a query of the database or a generation that is followed. */
const OPERATIONS_MAX = 1_000;

/** @returns the problem, if there is one; then the other operations of the socket go on. */
function checkOperation({ subscriptions }: Pick<SocketContext, 'subscriptions'>, query: string): GraphQLError[] | undefined {
  const problem = Object.keys(subscriptions).length > OPERATIONS_MAX ? tooMany() : syntaxProblem(query);
  return problem ? [problem] : undefined;
}

function tooMany(): GraphQLError {
  const originalError = new ArilError('RATE_LIMITED', `This WebSocket has too many operations under way: expected at most ${OPERATIONS_MAX}.`);
  return new GraphQLError(originalError.message, { originalError });
}

/** The id of an operation, by the object that graphql-ws hands to every step of it. */
const operationIds = new WeakMap<object, string>();

/**
 * Every operation has its own id and its own ambient context, as HTTP requests do. graphql-ws calls back outside of
 * the context that `execute` and `subscribe` had; the same id makes what is told and what is logged one.
 */
function inContext<T>(operation: object, work: () => T, { headers, ip }: ApiRequest = { headers: {} }): T {
  const id = operationIds.get(operation) ?? randomUUID();
  operationIds.set(operation, id);
  const cls = ClsServiceManager.getClsService();
  return cls.run(() => {
    cls.set(CLS_ID, id);
    setOrigin(ip, headers);
    setTraceparent(headers.traceparent);
    return work();
  });
}

const requestOf = ({ contextValue }: ExecutionArgs): ApiRequest => (contextValue as { req: ApiRequest }).req;

const format = (errors: readonly GraphQLError[]): GraphQLFormattedError[] => errors.map((error) => formatGraphqlError(error.toJSON(), error));

export function socketOptions(schema: GraphQLSchema): ServerOptions<SocketParams, SocketExtra> {
  return {
    schema,
    context: (context) => ({ req: socketRequest(context) }),
    onSubscribe: (context, _id, { query }) => checkOperation(context, query),
    validate: validateWithLimits,
    execute: (args: ExecutionArgs) => inContext(args, () => execute(args), requestOf(args)),
    subscribe: (args: ExecutionArgs) => inContext(args, () => subscribe(args)),
    onError: (_context, _id, payload, errors) => inContext(payload, () => format(errors as readonly GraphQLError[])),
    onNext: (_context, _id, _payload, args, result) => {
      const { errors } = result;
      if (!errors) return;
      return { ...result, errors: inContext(args, () => format(errors as readonly GraphQLError[])) };
    },
  };
}
