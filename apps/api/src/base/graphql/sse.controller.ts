/**
 * Operations over server-sent events ("distinct connections" mode of the GraphQL over SSE protocol): subscriptions for
 * clients that cannot hold a WebSocket, or whose proxies do not let one through.
 */
import { All, Controller, Req, Res } from '@nestjs/common';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import type { Request, Response } from 'express';
import type { ExecutionResult, GraphQLError, GraphQLSchema } from 'graphql';
import { createHandler } from 'graphql-sse/lib/use/express';
import { Public } from '../auth/caller.js';
import { formatGraphqlError } from './graphql-error.js';
import { untilSent } from '../http/backpressure.js';
import { syntaxProblem, validateWithLimits } from './limits.js';

type Handler = (request: Request, response: Response) => Promise<void>;

@Controller('graphql/stream')
export class SseController {
  private handler: Handler | null = null;

  constructor(private readonly schemaHost: GraphQLSchemaHost) {}

  /** Public as a route: the resolvers' guards ask who it is, as they do for the other transports. */
  @All()
  @Public()
  async handle(@Req() request: Request, @Res() response: Response): Promise<void> {
    // Proxies that buffer would hold events back until there are enough of them.
    response.setHeader('X-Accel-Buffering', 'no');
    this.handler ??= handlerFor(this.schemaHost.schema);
    await this.handler(request, response);
  }
}

/** As the handler answers what it cannot parse itself. */
const UNREADABLE = { status: 400, statusText: 'Bad Request', headers: { 'content-type': 'application/json; charset=utf-8' } };

function handlerFor(schema: GraphQLSchema): Handler {
  return createHandler({
    schema,
    validate: validateWithLimits as Parameters<typeof createHandler>[0]['validate'],
    // No token: one connection per operation, so that no state is shared between API processes.
    authenticate: () => null,
    onSubscribe: (_request, { query }) => {
      const problem = syntaxProblem(query);
      return problem ? [JSON.stringify({ errors: [problem] }), UNREADABLE] : undefined;
    },
    context: (request) => ({ req: request.raw, res: request.context.res }),
    onNext: async (_context, request, result) => {
      // The handler keeps without bound what the client does not read.
      await untilSent(request.context.res as Response);
      return withFormattedErrors(result as ExecutionResult);
    },
  }) as Handler;
}

function withFormattedErrors(result: ExecutionResult): ExecutionResult {
  if (!result.errors) return result;
  const errors = result.errors.map((error) => formatGraphqlError(error.toJSON(), error));
  // What is sent is their JSON, which is what they are already.
  return { ...result, errors: errors as unknown as GraphQLError[] };
}
