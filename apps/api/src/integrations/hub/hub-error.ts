/** What a hub answers in an adapter's place, in words for whoever asked for it. URLs are not among them: a CDN's are signed. */
export type HubErrorCode =
  | 'hub_repository_not_found'
  | 'hub_revision_not_found'
  | 'hub_token_refused'
  | 'hub_access_refused'
  | 'hub_address_refused'
  | 'hub_answer_unknown'
  | 'hub_unreachable';

export class HubError extends Error {
  constructor(
    readonly code: HubErrorCode,
    readonly found: string,
    readonly expected: string,
    /** How long the hub asks to be left alone. */
    readonly retryAfterMs = 0,
  ) {
    super(`found ${found}, expected ${expected}`);
    this.name = 'HubError';
  }

  /** Whether asking again later can help. */
  get passing(): boolean {
    return this.code === 'hub_unreachable';
  }
}

export const unreachable = (found: string, retryAfterMs = 0): HubError =>
  new HubError('hub_unreachable', found, 'an answer of the hub; try again later', retryAfterMs);
