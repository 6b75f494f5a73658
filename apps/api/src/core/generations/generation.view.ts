/** Rows and stream events as GraphQL shows them. */
import { ERROR_CODES, isErrorCode, type ErrorCode, type GenerationEvent } from '@aril/contracts';
import { variantOf, type GenerationRow } from '../../models/generation.model.js';
import type { Outcome } from './events/collect.js';
import type {
  FinishReasonName,
  GenerationChoiceType,
  GenerationErrorType,
  GenerationEventView,
  GenerationType,
} from './generation.types.js';

export function generationView(row: GenerationRow): GenerationType {
  const { errorCode, errorMessage, amountNanoUsd } = row;
  const error = isErrorCode(errorCode) ? errorView(errorCode, errorMessage ?? '') : null;
  return { ...row, variant: variantOf(row), choices: choicesOf(row), amount: amountNanoUsd, error };
}

/** Where there is one choice, its row's columns are it. */
function choicesOf({ choices, text, finishReason, completionTokens }: GenerationRow): GenerationChoiceType[] | null {
  if (choices) return choices.map((choice, index) => ({ ...choice, index, finishReason: upper(choice.finishReason) }));
  if (text === null || finishReason === null) return null;
  return [{ index: 0, text, finishReason, completionTokens: completionTokens ?? 0 }];
}

/** An ended generation whose settlement is not in the row yet: all but its amount is known. */
export function unsettledView(row: GenerationRow, outcome: Outcome): GenerationType {
  const { choices, finishReason, promptTokens, cachedTokens, completionTokens, error } = outcome;
  const status = finishReason === 'error' ? 'FAILED' : finishReason === 'cancelled' ? 'CANCELLED' : 'SUCCEEDED';
  return {
    ...generationView(row),
    status,
    text: choices[0]?.text ?? '',
    choices: choices.map((choice, index) => ({ ...choice, index, finishReason: upper(choice.finishReason) })),
    finishReason: upper(finishReason),
    promptTokens,
    cachedTokens,
    completionTokens,
    error: error && errorView(error.code, error.message),
  };
}

export function eventView(event: GenerationEvent): GenerationEventView {
  if (event.type === 'prompt') return event;
  if (event.type === 'tokens') return { ...event, tokenCount: event.tokens.length };
  if (event.type === 'choiceEnd') return { ...event, finishReason: upper(event.finishReason) };
  const { finishReason, error } = event;
  return { ...event, finishReason: upper(finishReason), error: error && errorView(error.code, error.message) };
}

const errorView = (code: ErrorCode, message: string): GenerationErrorType => ({
  code,
  message,
  retryable: ERROR_CODES[code].retryable,
});

const upper = (reason: Outcome['finishReason']): FinishReasonName => reason.toUpperCase() as FinishReasonName;
