import { isErrorCode, type EndEvent, type FinishReason, type GenerationEvent, type SettledChoice } from '@aril/contracts';
import { predictionTokensOf, type GenerationRow } from '../../../models/generation.model.js';

/**
 * The events of an ended generation whose stream is gone: the whole text of each choice at once. Null when the texts
 * are gone too.
 */
export function rowAsEvents(row: GenerationRow): GenerationEvent[] | null {
  const { text } = row;
  if (text === null) return null;
  const finishReason = (row.finishReason ?? 'ERROR').toLowerCase() as FinishReason;
  const choices = row.choices ?? [{ text, finishReason, completionTokens: row.completionTokens ?? 0 }];
  // The end has to say what became of the generation, so a choice that ended that way comes last.
  const last = Math.max(0, choices.findLastIndex((choice) => choice.finishReason === finishReason));
  const earlier = choices.flatMap((choice, index) => (index === last ? [] : [{ choice, index }]));
  return [
    ...earlier.map(({ choice, index }, at) => ({
      type: 'choiceEnd' as const,
      seq: at + 1,
      choice: index,
      text: choice.text,
      ...(choice.reasoningTokens && { reasoningTokens: choice.reasoningTokens }),
      finishReason: choice.finishReason,
    })),
    endOf(row, choices, last),
  ];
}

function endOf(row: GenerationRow, choices: readonly SettledChoice[], last: number): EndEvent {
  const { text, finishReason } = choices[last] ?? { text: '', finishReason: 'error' };
  return {
    type: 'end',
    seq: choices.length,
    choice: last,
    text,
    finishReason,
    promptTokens: row.promptTokens ?? 0,
    cachedTokens: row.cachedTokens ?? 0,
    completionTokens: row.completionTokens ?? 0,
    reasoningTokens: row.reasoningTokens ?? 0,
    predictionTokens: predictionTokensOf(row) ?? undefined,
    error: isErrorCode(row.errorCode) ? { code: row.errorCode, message: row.errorMessage ?? '' } : null,
  };
}
