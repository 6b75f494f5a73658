import { Histogram, LATENCY_BUCKETS_S, type Registry } from '@aril/metrics';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** Others, which a server must take but nobody sends to us, are one. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** What is mounted below a path rather than being a route. */
const MOUNTED = /^\/graphql(?=\/?$)/;

/** Requests by route, never by path: there are as many paths as there are people who make some up. */
export function httpMetrics(registry: Registry): RequestHandler {
  const seconds = new Histogram({
    name: 'aril_api_http_request_seconds',
    help: 'HTTP requests: from their head to the end of the answer, or until the client left. Streams last as long as what they tell of.',
    labelNames: ['method', 'route', 'status'],
    buckets: LATENCY_BUCKETS_S,
    registers: [registry],
  });
  return (request: Request, response: Response, next: NextFunction) => {
    const began = performance.now();
    response.once('close', () => {
      const labels = { method: METHODS.has(request.method) ? request.method : 'other', route: routeOf(request), status: `${Math.floor(response.statusCode / 100)}xx` };
      seconds.observe(labels, (performance.now() - began) / 1000);
    });
    next();
  };
}

/** As the controller has it, with the names of its parameters. */
function routeOf({ route, originalUrl }: Request): string {
  const path = (route as { path?: unknown } | undefined)?.path;
  if (typeof path === 'string') return path;
  return MOUNTED.exec(originalUrl.split('?', 1)[0] ?? '')?.[0] ?? 'none';
}
