/**
 * Headers on their way through the portal's proxy. Hop-by-hop headers (RFC 9110, section 7.6.1) belong to one
 * connection and are dropped in both directions, together with those the `Connection` header names.
 */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

const withoutHopByHop = (headers: Headers): Headers => {
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase());
  const kept = new Headers(headers);
  for (const name of [...HOP_BY_HOP, ...named]) if (name) kept.delete(name);
  return kept;
};

/** The browser's headers as the API shall see them; `portalUrl` is the address the browser asked. */
export const toApiHeaders = (incoming: Headers, portalUrl: URL): Headers => {
  const headers = withoutHopByHop(incoming);
  const host = incoming.get('x-forwarded-host') ?? incoming.get('host') ?? portalUrl.host;
  headers.set('x-forwarded-host', host);
  headers.set('x-forwarded-proto', incoming.get('x-forwarded-proto') ?? portalUrl.protocol.replace(':', ''));
  headers.delete('host');
  // Fetch answers `Expect` itself and would undo any compression, whose length would then no longer be true.
  headers.delete('expect');
  headers.set('accept-encoding', 'identity');
  return headers;
};

/** The API's headers as the browser shall see them. Each `Set-Cookie` stays a header of its own. */
export const toBrowserHeaders = (answer: Headers): Headers => {
  const headers = withoutHopByHop(answer);
  if (headers.has('content-encoding')) {
    headers.delete('content-encoding');
    headers.delete('content-length');
  }
  if (headers.get('content-type')?.startsWith('text/event-stream')) {
    // Events must leave at once, also through a compressing or buffering server in front of the portal.
    headers.set('cache-control', 'no-cache, no-transform');
    headers.set('x-accel-buffering', 'no');
  }
  return headers;
};
