/** Limits as a form holds them: a field left empty is no limit, and budgets are in dollars. */
import { z } from 'zod';
import type { LimitsInput, LimitsQuery } from '@/lib/api/generated/graphql';
import { decimalToNanoUsd, nanoUsdToDecimal } from '@/lib/format/money';

type Tenant = LimitsQuery['tenant'];
export type Limits = Tenant['limits'];
export type Budget = Tenant['budget'];

export interface LimitValues {
  requestsPerMinute: number | string;
  tokensPerMinute: number | string;
  parallelRequests: number | string;
  budgetSoft: number | string;
  budgetHard: number | string;
}

export const NO_VALUES: LimitValues = {
  requestsPerMinute: '',
  tokensPerMinute: '',
  parallelRequests: '',
  budgetSoft: '',
  budgetHard: '',
};

export const toValues = (limits: Limits, { soft, hard }: Pick<Budget, 'soft' | 'hard'>): LimitValues => ({
  requestsPerMinute: limits.requestsPerMinute ?? '',
  tokensPerMinute: limits.tokensPerMinute ?? '',
  parallelRequests: limits.parallelRequests ?? '',
  budgetSoft: soft === null ? '' : nanoUsdToDecimal(soft),
  budgetHard: hard === null ? '' : nanoUsdToDecimal(hard),
});

export const toInput = (values: LimitValues): LimitsInput => ({
  requestsPerMinute: toCount(values.requestsPerMinute),
  tokensPerMinute: toCount(values.tokensPerMinute),
  parallelRequests: toCount(values.parallelRequests),
  budgetSoft: toNanoUsd(values.budgetSoft),
  budgetHard: toNanoUsd(values.budgetHard),
});

const toCount = (value: number | string): number | null => (value === '' ? null : Number(value));
const toNanoUsd = (value: number | string): string | null => (value === '' ? null : decimalToNanoUsd(decimal(value)));

/** JavaScript writes small numbers with an exponent. */
const decimal = (value: number | string): string =>
  typeof value === 'number' && value < 1e-6 ? value.toFixed(9) : String(value);

const INT_MAX = 2_147_483_647;
const field = z.union([z.number(), z.string()]);
const count = field.refine(
  (value) => value === '' || (Number.isInteger(Number(value)) && Number(value) >= 1 && Number(value) <= INT_MAX),
  'A whole number from 1 on, or nothing for no limit',
);
const usd = field.refine(
  (value) => value === '' || toNanoUsd(value) !== null,
  'An amount of dollars below a billion, or nothing for no budget',
);

const softWithinHard = ({ budgetSoft, budgetHard }: Pick<LimitValues, 'budgetSoft' | 'budgetHard'>): boolean => {
  const [soft, hard] = [toNanoUsd(budgetSoft), toNanoUsd(budgetHard)];
  return soft === null || hard === null || BigInt(soft) <= BigInt(hard);
};

export const limitsSchema = z
  .object({
    requestsPerMinute: count,
    tokensPerMinute: count,
    parallelRequests: count,
    budgetSoft: usd,
    budgetHard: usd,
  })
  .refine(softWithinHard, { path: ['budgetSoft'], message: 'At most the hard budget' });
