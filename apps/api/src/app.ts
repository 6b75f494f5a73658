/** The whole application, ready to listen: what `main`, the seed and the tests share. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Registry } from '@aril/metrics';
import { NotFoundException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import { CLS_ID, ClsServiceManager } from 'nestjs-cls';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import { setOrigin } from './base/auth/request-identity.js';
import type { Config } from './base/config/config.js';
import { ErrorFilter } from './base/errors/error.filter.js';
import { GRAPHQL_PATH } from './base/graphql/graphql.module.js';
import { BodyBudget } from './base/http/body-budget.js';
import { corsDelegate } from './base/http/cors.js';
import { requireHost } from './base/http/host.js';
import { HttpAdapter } from './base/http/http-adapter.js';
import { checkStructure } from './base/http/json-structure.js';
import { isWebSocketHandshake } from './base/http/upgrade.js';
import { httpLogger } from './base/logging/http-logger.js';
import { httpMetrics } from './base/metrics/http-metrics.js';
import { NestLogger } from './base/logging/logger.js';
import { setTraceparent } from './base/logging/trace.js';
import { GenerationFollower } from './core/generations/generation-follower.js';

/** Long prompts are text; a document's worth of it. */
const JSON_BODY_BYTES_MAX = 8 * 1024 * 1024;
/** Paths whose handlers read the body themselves. */
const RAW_BODY = /^\/(api\/auth|uploads)(\/|\?|$)/;

export async function createApp(config: Config, logger: Logger): Promise<NestExpressApplication> {
  const adapter = new HttpAdapter(GRAPHQL_PATH, config.DRAIN_TIMEOUT_S * 1_000);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(config), adapter, {
    bodyParser: false,
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  adapter.onDrained = () => app.get(GenerationFollower).close();
  app.set('trust proxy', config.TRUST_PROXY);
  app.disable('x-powered-by');
  app.use(httpMetrics(app.get(Registry)));
  app.use(httpLogger(logger));
  app.use(ambientContext);
  app.use(requireHost);
  app.use(helmet({ crossOriginResourcePolicy: { policy: 'cross-origin' } }));
  app.enableCors(corsDelegate(config));
  app.use(refuseWebSockets);
  const bodies = new BodyBudget(config.REQUEST_BODIES_BYTES_MAX, JSON_BODY_BYTES_MAX, isJsonForUs);
  app.use(bodies.admit);
  // Not strict: `null` and `5` are JSON, and told by their handlers as what they are.
  const verify = (request: IncomingMessage, response: ServerResponse, body: Buffer, encoding: string): void => {
    bodies.noteRead(request, response, body);
    checkStructure(body, encoding);
  };
  const parsing = { limit: JSON_BODY_BYTES_MAX, type: isJsonForUs, strict: false, verify };
  app.useBodyParser('json', parsing);
  app.useGlobalFilters(new ErrorFilter());
  app.enableShutdownHooks();
  return app;
}

/** Everything a request starts runs in a context that knows the request's id and holds its transaction. */
function ambientContext(request: Request, _response: Response, next: NextFunction): void {
  const cls = ClsServiceManager.getClsService();
  cls.run(() => {
    cls.set(CLS_ID, String(request.id ?? randomUUID()));
    setOrigin(request.ip, request.headers);
    setTraceparent(request.headers.traceparent);
    next();
  });
}

/** A WebSocket handshake that gets here is for a path that has no WebSockets. */
function refuseWebSockets(request: Request, response: Response, next: NextFunction): void {
  if (!isWebSocketHandshake(request)) return next();
  response.setHeader('Connection', 'close');
  next(new NotFoundException(`Cannot open a WebSocket at ${request.path}`));
}

function isJsonForUs(request: IncomingMessage): boolean {
  return !RAW_BODY.test(request.url ?? '') && /^application\/(json|[\w.+-]+\+json)\b/i.test(request.headers['content-type'] ?? '');
}
