/** The OpenAI-compatible endpoints are for programs: they take API keys and no browser sessions. */
import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';

export function requireApiKey(caller: Caller): void {
  if (caller.apiKeyId !== null) return;
  throw new ArilError('UNAUTHENTICATED', 'Send an API key as a bearer token: "Authorization: Bearer aril_…".');
}
