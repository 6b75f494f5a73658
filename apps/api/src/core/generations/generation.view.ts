/** Rows and stream events as GraphQL shows them. */
import { ERROR_CODES, isErrorCode, type ErrorCode, type GenerationEvent } from '@aril/contracts';
import type { GenerationRow } from '../../models/generation.model.js';
import type { Outcome } from './generation-follower.js';
import type { FinishReasonName, GenerationEnd, GenerationErrorType, GenerationTokens, GenerationType } from './generation.types.js';

export function generationView(row: GenerationRow): GenerationType {
  const { errorCode, errorMessage, amountNanoUsd } = row;
  const error = isErrorCode(errorCode) ? errorView(errorCode, errorMessage ?? '') : null;
  return { ...row, amount: amountNanoUsd, error };
}

/** An ended generation whose settlement is not in the row yet: all but its amount is known. */
export function unsettledView(row: GenerationRow, outcome: Outcome): GenerationType {
  const { text, finishReason, promptTokens, completionTokens, error } = outcome;
  const status = finishReason === 'error' ? 'FAILED' : finishReason === 'cancelled' ? 'CANCELLED' : 'SUCCEEDED';
  return {
    ...generationView(row),
    status,
    text,
    finishReason: upper(finishReason),
    promptTokens,
    completionTokens,
    error: error && errorView(error.code, error.message),
  };
}

export function eventView(event: GenerationEvent): GenerationTokens | GenerationEnd {
  const { seq, text } = event;
  if (event.type === 'tokens') return { seq, text, tokenCount: event.tokens.length };
  const { finishReason, promptTokens, completionTokens, error } = event;
  return {
    seq,
    text,
    finishReason: upper(finishReason),
    promptTokens,
    completionTokens,
    error: error && errorView(error.code, error.message),
  };
}

const errorView = (code: ErrorCode, message: string): GenerationErrorType => ({
  code,
  message,
  retryable: ERROR_CODES[code].retryable,
});

const upper = (reason: Outcome['finishReason']): FinishReasonName => reason.toUpperCase() as FinishReasonName;
