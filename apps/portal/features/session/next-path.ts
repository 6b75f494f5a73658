/** The sign-in page, with the way back to `path`. `expired` keeps it from sending a refused session straight back. */
export const signInHref = (path: string): string =>
  `/sign-in?${new URLSearchParams({ next: path, expired: '1' })}`;

/**
 * Where to go after signing in, from the `next` parameter. Only a path of this portal is followed: "//host" and
 * "/\host" are other sites to a browser, and the sign-in page itself would be a circle.
 */
export const safeNextPath = (next: string | null | undefined): string => {
  if (!next?.startsWith('/') || /^\/[/\\]/.test(next) || /\p{Cc}/u.test(next)) return '/';
  return /^\/sign-(in|up)(\/|\?|#|$)/.test(next) ? '/' : next;
};

/** Whether somebody came with an invitation: then they need no workspace of their own. */
export const isInvitationPath = (path: string): boolean => path.startsWith('/invitations/');

/** The sign-in or sign-up page, with the way on to `next`. */
export const authHref = (page: '/sign-in' | '/sign-up', next: string): string =>
  next === '/' ? page : `${page}?${new URLSearchParams({ next })}`;
