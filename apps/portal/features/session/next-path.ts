/**
 * Where to go after signing in, from the `next` parameter. Only a path of this portal is followed: "//host" and
 * "/\host" are other sites to a browser, and the sign-in page itself would be a circle.
 */
export const safeNextPath = (next: string | null | undefined): string => {
  if (!next?.startsWith('/') || /^\/[/\\]/.test(next) || /\p{Cc}/u.test(next)) return '/';
  return /^\/sign-(in|up)(\/|\?|#|$)/.test(next) ? '/' : next;
};
