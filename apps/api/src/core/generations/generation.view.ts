/** Rows and stream events as GraphQL shows them. */
import { ERROR_CODES, isErrorCode, type ErrorCode, type GenerationEvent, type SettledChoice } from '@aril/contracts';
import { predictionTokensOf, variantOf, type GenerationRow } from '../../models/generation.model.js';
import type { Outcome } from './events/collect.js';
import type {
  FinishReasonName,
  GenerationChoiceType,
  GenerationErrorType,
  GenerationEventView,
  GenerationType,
} from './generation.types.js';
import { type EventParts, partsOf } from './thoughts/answer-parts.js';

type FirstChoice = Pick<GenerationType, 'text' | 'reasoning' | 'choices'>;

export function generationView(row: GenerationRow): GenerationType {
  const { errorCode, errorMessage, amountNanoUsd } = row;
  const error = isErrorCode(errorCode) ? errorView(errorCode, errorMessage ?? '') : null;
  return { ...row, ...told(choicesOf(row)), variant: variantOf(row), predictionTokens: predictionTokensOf(row), amount: amountNanoUsd, error };
}

/** Where there is one choice, its row's columns are it. */
function choicesOf({ choices, text, finishReason, completionTokens, reasoningTokens }: GenerationRow): SettledChoice[] | null {
  if (choices || text === null || finishReason === null) return choices;
  return [{ text, finishReason: lower(finishReason), completionTokens: completionTokens ?? 0, reasoningTokens: reasoningTokens ?? 0 }];
}

/** An ended generation whose settlement is not in the row yet: all but its amount is known. */
export function unsettledView(row: GenerationRow, outcome: Outcome): GenerationType {
  const { choices, finishReason, promptTokens, cachedTokens, completionTokens, reasoningTokens = 0, predictionTokens = null, error } = outcome;
  const status = finishReason === 'error' ? 'FAILED' : finishReason === 'cancelled' ? 'CANCELLED' : 'SUCCEEDED';
  return {
    ...generationView(row),
    ...told(choices),
    status,
    finishReason: upper(finishReason),
    promptTokens,
    cachedTokens,
    completionTokens,
    reasoningTokens,
    predictionTokens,
    error: error && errorView(error.code, error.message),
  };
}

/** null: there is no text yet, or no longer. */
function told(choices: readonly SettledChoice[] | null): FirstChoice {
  const views = choices?.map(choiceView) ?? null;
  return { text: views?.[0]?.text ?? null, reasoning: views?.[0]?.reasoning ?? null, choices: views };
}

function choiceView({ text, finishReason, completionTokens, reasoningTokens = 0 }: SettledChoice, index: number): GenerationChoiceType {
  const parts = partsOf(text, reasoningTokens);
  return { index, text: parts.text, reasoning: parts.reasoning || null, finishReason: upper(finishReason), completionTokens, reasoningTokens };
}

/** `parts` has read the events before. */
export function eventView(event: GenerationEvent, parts: EventParts): GenerationEventView {
  if (event.type === 'prompt') return event;
  const told = parts.read(event);
  if (event.type === 'tokens') return { ...event, ...told, tokenCount: event.tokens.length };
  if (event.type === 'choiceEnd') return { ...event, ...told, finishReason: upper(event.finishReason) };
  const { finishReason, reasoningTokens = 0, predictionTokens = null, error } = event;
  return { ...event, ...told, reasoningTokens, predictionTokens, finishReason: upper(finishReason), error: error && errorView(error.code, error.message) };
}

const errorView = (code: ErrorCode, message: string): GenerationErrorType => ({
  code,
  message,
  retryable: ERROR_CODES[code].retryable,
});

const upper = (reason: Outcome['finishReason']): FinishReasonName => reason.toUpperCase() as FinishReasonName;
const lower = (reason: FinishReasonName): Outcome['finishReason'] => reason.toLowerCase() as Outcome['finishReason'];
