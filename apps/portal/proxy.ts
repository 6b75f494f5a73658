import { NextResponse, type NextRequest } from 'next/server';

/**
 * Sends visitors without a session cookie to the sign-in page before anything is drawn. It looks only whether the
 * cookie is there: whether it is good, the API decides with the first query.
 */
export const proxy = (request: NextRequest): NextResponse => {
  const signedIn = request.cookies.getAll().some(({ name }) => name.endsWith('session_token'));
  if (signedIn) return NextResponse.next();
  const target = request.nextUrl.clone();
  const next = request.nextUrl.pathname + request.nextUrl.search;
  target.pathname = '/sign-in';
  target.search = next === '/' ? '' : `?${new URLSearchParams({ next })}`;
  return NextResponse.redirect(target);
};

/** Pages only. Requests under /api must not come through here: their bodies would be buffered. */
export const config = {
  matcher: [
    '/',
    '/adapters/:path*',
    '/playground/:path*',
    '/api-keys/:path*',
    '/usage/:path*',
    '/billing/:path*',
    '/settings/:path*',
    '/workspaces/:path*',
  ],
};
