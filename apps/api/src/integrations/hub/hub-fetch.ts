/**
 * `fetch` for one hub. It follows the hub's redirects itself: the token goes to the hub only, and no redirect leads to a private
 * address unless the hub is at one.
 */
import { type Dispatcher, fetch, Headers, type RequestInit, Response } from 'undici';
import { requirePublicHost } from './hub-address.js';
import { HubError, unreachable } from './hub-error.js';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const REDIRECTS_MAX = 5;

export interface Reach {
  hub: URL;
  token: string | null;
  /** Whether the hub, and so whatever it redirects to, may be at a private address. */
  anywhere: boolean;
  dispatcher: Dispatcher;
  signal: AbortSignal;
}

export interface HubAnswer {
  response: Response;
  /** What the hub itself said of the file before it redirected: a CDN does not know its hash. */
  linked: Headers;
  /** The answer is the hub's own, not that of another host. */
  own: boolean;
}

export async function fetchFromHub(reach: Reach, url: string, init: RequestInit = {}): Promise<HubAnswer> {
  const linked = new Headers();
  let at = new URL(url);
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const own = at.origin === reach.hub.origin;
    if (!own) requireAllowed(reach, at);
    const response = await ask(reach, at, init, own);
    if (own) for (const [name, value] of response.headers) if (name.startsWith('x-linked-')) linked.set(name, value);
    const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
    if (location === null) return { response, linked, own };
    await response.body?.cancel();
    if (!URL.canParse(location, at.href)) throw new HubError('hub_answer_unknown', 'a redirect to what is no address', 'one to an address');
    at = new URL(location, at);
  }
  throw new HubError('hub_answer_unknown', `more than ${REDIRECTS_MAX} redirects one after another`, 'fewer');
}

function requireAllowed({ hub, anywhere }: Reach, at: URL): void {
  if (at.protocol !== 'https:' && !(anywhere && at.protocol === hub.protocol)) {
    throw new HubError('hub_address_refused', `a redirect to ${at.protocol}//${at.host}`, 'one to an https address');
  }
  if (!anywhere) requirePublicHost(at);
}

async function ask({ dispatcher, signal, token }: Reach, at: URL, init: RequestInit, own: boolean): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.delete('authorization');
  // A range of compressed bytes would not be one of the file.
  headers.set('accept-encoding', 'identity');
  headers.set('user-agent', 'aril');
  if (own && token !== null) headers.set('authorization', `Bearer ${token}`);
  try {
    return await fetch(at, { ...init, headers, redirect: 'manual', dispatcher, signal });
  } catch (error) {
    throw connectionError(error, at.host);
  }
}

/** `fetch` hides what happened in its error's cause; an abort's reason is whoever aborts' own. */
export function connectionError(error: unknown, host: string): unknown {
  const cause = error instanceof TypeError ? error.cause : null;
  if (cause instanceof HubError) return cause;
  if (!(error instanceof TypeError)) return error;
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return unreachable(`no connection to ${host}, or one that broke${code}`);
}
