/**
 * Which of the portal's own paths are the API's, and under what name there. Everything else under /api is not found,
 * so that the portal opens no door the API did not mean for browsers.
 */
const PREFIXES = [
  { portal: '/api/auth', api: '/api/auth' },
  { portal: '/api/graphql', api: '/graphql' },
  { portal: '/api/uploads', api: '/uploads' },
  { portal: '/api/statements', api: '/statements' },
  { portal: '/api/audit-events', api: '/audit-events' },
  { portal: '/api/batch-files', api: '/batch-files' },
] as const;

const moved = (path: string, from: string, to: string): string | null =>
  path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : null;

/** The API's path for one of the portal's, or null when the API is not to be asked. */
export const toApiPath = (portalPath: string): string | null => {
  for (const { portal, api } of PREFIXES) {
    const path = moved(portalPath, portal, api);
    if (path !== null) return path;
  }
  return null;
};

/**
 * A `Location` the API answered with (absolute or not), as the browser must follow it. Only what lies under a
 * known prefix of the API or of the portal itself is rewritten; foreign redirects pass through.
 */
export const toPortalLocation = (location: string, ownOrigins: readonly string[]): string => {
  const base = 'http://relative.invalid';
  if (!URL.canParse(location, base)) return location;
  const url = new URL(location, base);
  if (url.origin !== base && !ownOrigins.includes(url.origin)) return location;
  for (const { portal, api } of PREFIXES) {
    const path = moved(url.pathname, api, portal);
    if (path !== null) return path + url.search + url.hash;
  }
  return url.pathname + url.search + url.hash;
};
