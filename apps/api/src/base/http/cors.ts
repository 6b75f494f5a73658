/** Which pages may read answers. */
import type { CorsOptions, CorsOptionsDelegate } from '@nestjs/common/interfaces/external/cors-options.interface.js';
import type { Request } from 'express';
import type { Config } from '../config/config.js';
import { rateHeaders, VARIANT_HEADER } from './headers.js';
import { OPENAI_PATH } from './paths.js';

const UPLOADS = /^\/uploads(\/|\?|$)/;
const TUS_HEADERS = ['Location', 'Upload-Offset', 'Upload-Length', 'Tus-Resumable', 'Tus-Version', 'Tus-Extension', 'Tus-Max-Size'];
const RATE_HEADERS = (['requests', 'tokens'] as const).flatMap((unit) => Object.values(rateHeaders(unit)));
const PREFLIGHT_S = 600;

/**
 * Any page that has an API key may use `/v1`, which takes nothing else: a browser sends no cookie with these requests,
 * and a key is not sent without the page's doing. Which headers it may send is not limited.
 */
const ANY_PAGE: CorsOptions = {
  origin: '*',
  credentials: false,
  exposedHeaders: ['x-request-id', 'request-id', 'x-should-retry', 'retry-after', 'retry-after-ms', VARIANT_HEADER, ...RATE_HEADERS],
  maxAge: PREFLIGHT_S,
};

/** Elsewhere the portal's pages may use cookies from another origin. tus answers preflights itself: it has more to say. */
export function corsDelegate(config: Config): CorsOptionsDelegate<Request> {
  const portal: CorsOptions = {
    origin: [config.API_URL, ...config.PORTAL_URL],
    credentials: true,
    exposedHeaders: ['x-request-id', ...TUS_HEADERS],
    maxAge: PREFLIGHT_S,
  };
  const optionsFor = ({ url }: Request): CorsOptions =>
    OPENAI_PATH.test(url) ? ANY_PAGE : { ...portal, preflightContinue: UPLOADS.test(url) };
  return (request, answer) => answer(null as unknown as Error, optionsFor(request));
}
