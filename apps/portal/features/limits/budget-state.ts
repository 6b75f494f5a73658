/** How far a month's budget is used, and from when on somebody should know. */
import type { Budget } from './limit-values';

export type BudgetState = 'within' | 'warning' | 'used-up';

/** Below this share of the hard budget hardly any request fits what is left. */
const LEFT_PER_MILLE_MIN = 10n;

export function budgetState({ soft, hard, spent }: Pick<Budget, 'soft' | 'hard' | 'spent'>): BudgetState {
  const used = BigInt(spent);
  if (hard !== null && (BigInt(hard) - used) * 1_000n <= BigInt(hard) * LEFT_PER_MILLE_MIN) return 'used-up';
  return soft !== null && used >= BigInt(soft) ? 'warning' : 'within';
}

/** Of the hard budget, or of the soft one where there is no hard one; at most 100. */
export function percentOf(amount: string, { soft, hard }: Pick<Budget, 'soft' | 'hard'>): number {
  const whole = BigInt(hard ?? soft ?? 0);
  if (whole === 0n) return 100;
  const perMyriad = (BigInt(amount) * 10_000n) / whole;
  return Number(perMyriad > 10_000n ? 10_000n : perMyriad) / 100;
}
