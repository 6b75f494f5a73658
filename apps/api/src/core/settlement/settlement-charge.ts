/**
 * What an ended generation costs.
 *
 * - Ended by itself (stop, length): prompt and completion tokens, each at its price.
 * - Cancelled: the same for what was generated until then; nothing if nothing was.
 * - Ended by an error: nothing. The customer has no usable answer, whatever the engine spent.
 */
import type { Settlement } from '@aril/contracts';
import type { Price } from '../../models/ledger.model.js';

export interface Charge {
  promptTokens: number;
  /** Of the prompt tokens, those found computed; they cost the same. */
  cachedTokens: number;
  completionTokens: number;
  amountNanoUsd: bigint;
}

type Used = Pick<Settlement, 'finishReason' | 'promptTokens' | 'cachedTokens' | 'completionTokens'>;

const NOTHING: Charge = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, amountNanoUsd: 0n };

export function chargeFor(used: Used, price: Price): Charge {
  const { finishReason, promptTokens, cachedTokens, completionTokens } = used;
  if (finishReason === 'error') return NOTHING;
  if (finishReason === 'cancelled' && completionTokens === 0) return NOTHING;
  return {
    promptTokens,
    cachedTokens: Math.min(cachedTokens, promptTokens),
    completionTokens,
    amountNanoUsd:
      BigInt(promptTokens) * price.promptNanoUsdPerToken + BigInt(completionTokens) * price.completionNanoUsdPerToken,
  };
}
