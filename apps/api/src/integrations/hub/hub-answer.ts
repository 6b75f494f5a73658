import type { Response } from 'undici';
import { HubError, unreachable } from './hub-error.js';

/** What was asked for, to be named where it is not to be had. */
export interface Wanted {
  hub: string;
  repository: string;
  revision?: string;
  file?: string;
  withToken: boolean;
}

const RETRY_AFTER_MS_MAX = 600_000;
const PASSING = new Set([408, 425, 429]);

/**
 * Whether what was asked for is there; only a file may not be.
 * @throws HubError that says what is wrong, and whether it will pass
 */
export async function isThere(response: Response, own: boolean, wanted: Wanted): Promise<boolean> {
  if (response.ok) return true;
  await response.body?.cancel();
  const error = errorOf(response, own, wanted);
  if (error) throw error;
  return false;
}

/** null: there is no such file. */
function errorOf({ status, headers }: Response, own: boolean, wanted: Wanted): HubError | null {
  if (PASSING.has(status) || status >= 500) return unreachable(`HTTP ${status} from ${own ? wanted.hub : 'where it keeps its files'}`, retryAfterMs(headers.get('retry-after')));
  // Signed addresses run out; the hub gives another one next time.
  if (!own) return unreachable(`HTTP ${status} from where ${wanted.hub} keeps its files`);
  const code = headers.get('x-error-code');
  if (status === 403 || code === 'GatedRepo') return accessRefused(wanted);
  if (status === 401) return wanted.withToken && code !== 'RepoNotFound' ? tokenRefused() : repositoryNotFound(wanted);
  if (status === 404) return notFound(code, wanted);
  return new HubError('hub_answer_unknown', `HTTP ${status} from ${wanted.hub}`, 'the repository or a reason that is known');
}

function notFound(code: string | null, wanted: Wanted): HubError | null {
  if (code === 'RevisionNotFound') {
    return new HubError('hub_revision_not_found', `no revision "${wanted.revision}" of ${wanted.repository}`, 'a branch, a tag or a commit of it');
  }
  // Mirrors do not say what it is that they have not: of a file that was asked for it is that.
  return wanted.file === undefined || code === 'RepoNotFound' ? repositoryNotFound(wanted) : null;
}

const repositoryNotFound = ({ hub, repository, withToken }: Wanted): HubError =>
  withToken
    ? new HubError('hub_repository_not_found', `no model repository "${repository}" at ${hub} that this token may read`, 'one that it may read')
    : new HubError('hub_repository_not_found', `no public model repository "${repository}" at ${hub}`, 'a public one, or a token that may read a private one');

const tokenRefused = (): HubError => new HubError('hub_token_refused', 'a token that the hub does not know', 'one that is valid still');

const accessRefused = ({ repository, withToken }: Wanted): HubError =>
  withToken
    ? new HubError('hub_access_refused', `a token that may not read ${repository}`, 'one of an account that was given access to it, with the right to read gated repositories')
    : new HubError('hub_access_refused', `a gated repository, ${repository}`, 'the token of an account that was given access to it');

/** Seconds, or a date. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : 0;
}
