import { refuseBody } from './body-limit';
import { toApiHeaders, toBrowserHeaders } from './headers';
import { toApiPath, toPortalLocation } from './routes';

const failure = (status: number, code: string, message: string): Response =>
  Response.json(
    { error: { code, message }, code, message },
    { status, headers: { 'cache-control': 'no-store' } },
  );

/** Statuses whose answers have no body; `Response` refuses one even if it is empty. */
const hasBody = (status: number, method: string): boolean =>
  method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304;

/** Fetch says only that it failed; why, its cause says. */
const reasonOf = (error: unknown): string =>
  error instanceof Error
    ? error.cause instanceof Error
      ? error.cause.message
      : error.message
    : String(error);

const ownOrigins = (apiUrl: string, headers: Headers): string[] => [
  new URL(apiUrl).origin,
  `${headers.get('x-forwarded-proto')}://${headers.get('x-forwarded-host')}`,
];

/**
 * Hands a browser's request to the API and its answer back, both as streams: uploads and token streams pass
 * without being held in memory. The browser hanging up ends the request to the API too.
 */
export const forwardToApi = async (request: Request, apiUrl: string): Promise<Response> => {
  const url = new URL(request.url);
  const path = toApiPath(url.pathname);
  if (path === null) return failure(404, 'NOT_FOUND', `${url.pathname} is not a path of the portal`);
  const refusal = refuseBody(request.headers);
  if (refusal) return failure(refusal.status, refusal.code, refusal.message);
  const headers = toApiHeaders(request.headers, url);

  let answer: Response;
  try {
    answer = await fetch(apiUrl + path + url.search, {
      method: request.method,
      headers,
      body: request.body,
      // Node's fetch wants this said when the body is a stream; the DOM's types do not know it.
      ...(request.body ? { duplex: 'half' } : {}),
      redirect: 'manual',
      cache: 'no-store',
      signal: request.signal,
    });
  } catch (error) {
    if (request.signal.aborted) return new Response(null, { status: 499 });
    console.error(`The API at ${apiUrl} could not be reached: ${reasonOf(error)}`);
    return failure(
      502,
      'API_UNREACHABLE',
      'The Aril API cannot be reached. It may be starting; try again in a moment.',
    );
  }

  const answerHeaders = toBrowserHeaders(answer.headers);
  const location = answerHeaders.get('location');
  if (location) answerHeaders.set('location', toPortalLocation(location, ownOrigins(apiUrl, headers)));
  const body = hasBody(answer.status, request.method) ? answer.body : null;
  return new Response(body, { status: answer.status, statusText: answer.statusText, headers: answerHeaders });
};
