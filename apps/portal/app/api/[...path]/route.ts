import { readConfig } from '@/lib/config';
import { forwardToApi } from '@/lib/proxy/forward';

/**
 * The browser talks to the portal's origin only; what is the API's is handed on here. Cookies therefore stay
 * first-party, and the API's address is read when a request comes, not when the portal was built.
 */
export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

const handle = (request: Request): Promise<Response> => forwardToApi(request, readConfig().apiUrl);

export const GET = handle;
export const HEAD = handle;
export const POST = handle;
export const PUT = handle;
export const PATCH = handle;
export const DELETE = handle;
export const OPTIONS = handle;
