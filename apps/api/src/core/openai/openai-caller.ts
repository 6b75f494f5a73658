/** The OpenAI-compatible endpoints are for programs: they take API keys that may generate, and no browser sessions. */
import { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { mayGenerate } from '../generations/generation.policy.js';

export function requireInferenceKey(caller: Caller): void {
  if (caller.apiKeyId !== null) return mayGenerate(caller);
  throw new ArilError('UNAUTHENTICATED', 'Send an API key as a bearer token: "Authorization: Bearer aril_…".');
}
