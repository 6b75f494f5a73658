/** What a request brings along besides its body. */
import type { Request, Response } from 'express';
import type { Caller } from '../../base/auth/caller.js';
import { idempotencyKeySchema, IDEMPOTENCY_KEY_CHARS_MAX } from '../generations/generation-request.js';
import { refuse } from './openai-error.js';

export interface Exchange {
  caller: Caller;
  request: Request;
  response: Response;
}

export function idempotencyKeyOf({ request }: Exchange): string | null {
  const given = request.get('idempotency-key');
  if (given === undefined || given === '') return null;
  if (idempotencyKeySchema.safeParse(given).success) return given;
  return refuse('Idempotency-Key', `Idempotency-Key: expected 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters, found ${given.length}.`);
}

/** A key names one generation: the caller's the first prompt's, so that one prompt has it as it was sent. */
export const keyOfPrompt = (key: string, prompt: number): string => (prompt === 0 ? key : `${key}#${prompt}`);
