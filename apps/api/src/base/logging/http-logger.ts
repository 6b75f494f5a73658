import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { REQUEST_ID, traceFields } from '@aril/contracts';
import type { Logger } from 'pino';
import { pinoHttp, type HttpLogger } from 'pino-http';

/** Asked every few seconds by whoever watches; worth a line only when it fails. */
const QUIET = new Set(['/health', '/ready']);

/** A client's own id is kept when it looks like one, so that its logs and ours can be joined. */
function requestId(request: IncomingMessage, response: ServerResponse): string {
  const given = request.headers['x-request-id'];
  const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
  response.setHeader('x-request-id', id);
  // Where Anthropic's clients look for it.
  response.setHeader('request-id', id);
  return id;
}

/** Query strings can hold tokens (links in e-mails), so paths only; `originalUrl` because Express rewrites `url` on the way. */
function pathOf(request: { url?: string | undefined; originalUrl?: string | undefined }): string {
  return (request.originalUrl ?? request.url ?? '').split('?', 1)[0] ?? '';
}

export function httpLogger(logger: Logger): HttpLogger {
  return pinoHttp({
    logger,
    genReqId: requestId,
    customAttributeKeys: { reqId: 'requestId' },
    quietReqLogger: true,
    customProps: ({ headers: { traceparent } }) => traceFields({ traceparent: typeof traceparent === 'string' ? traceparent : undefined }),
    serializers: {
      req: (request: { method: string; url: string; raw: IncomingMessage }) => ({ method: request.method, path: pathOf(request.raw) }),
      res: (response: { statusCode: number }) => ({ status: response.statusCode }),
    },
    customLogLevel: (request, response, error) => {
      if (error || response.statusCode >= 500) return 'error';
      return QUIET.has(pathOf(request)) ? 'debug' : 'info';
    },
    customSuccessMessage: (request, response) => `${request.method} ${pathOf(request)} ${response.statusCode}`,
    customErrorMessage: (request, response) => `${request.method} ${pathOf(request)} ${response.statusCode}`,
  });
}
