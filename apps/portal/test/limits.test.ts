import { describe, expect, it } from 'vitest';
import { budgetState, percentOf } from '@/features/limits/budget-state';
import { limitsSchema, NO_VALUES, toInput, toValues } from '@/features/limits/limit-values';

const NONE = { requestsPerMinute: null, tokensPerMinute: null, parallelRequests: null };

describe('the state of a budget', () => {
  it.each([
    ['0', null, null, 'within'],
    ['9', '10', '1000', 'within'],
    ['10', '10', '1000', 'warning'],
    ['10', '10', null, 'warning'],
    ['989', '10', '1000', 'warning'],
    // A hundredth is left: next to nothing fits it.
    ['990', null, '1000', 'used-up'],
    ['0', null, '0', 'used-up'],
    ['1001', '10', '1000', 'used-up'],
  ])('with %s spent, soft %s, hard %s is %s', (spent, soft, hard, state) => {
    expect(budgetState({ spent, soft, hard })).toBe(state);
  });

  it('is a share of the hard budget, or of the soft one where it is alone', () => {
    expect(percentOf('25', { soft: '50', hard: '100' })).toBe(25);
    expect(percentOf('25', { soft: '50', hard: null })).toBe(50);
    expect(percentOf('250', { soft: null, hard: '100' })).toBe(100);
    expect(percentOf('0', { soft: null, hard: '0' })).toBe(100);
    expect(percentOf('9007199254740993', { soft: null, hard: '18014398509481986' })).toBe(50);
  });
});

describe('limits in a form', () => {
  it('come back as they went in', () => {
    const limits = { ...NONE, requestsPerMinute: 60 };
    const budget = { soft: '1', hard: '12500000000' };
    const values = toValues(limits, budget);
    expect(values).toEqual({ ...NO_VALUES, requestsPerMinute: 60, budgetSoft: '0.000000001', budgetHard: '12.5' });
    expect(toInput(values)).toEqual({ ...limits, budgetSoft: '1', budgetHard: '12500000000' });
  });

  it('are none where a field is empty', () => {
    expect(toInput(NO_VALUES)).toEqual({ ...NONE, budgetSoft: null, budgetHard: null });
  });

  it('of less than a millionth are no exponents', () => {
    expect(toInput({ ...NO_VALUES, budgetHard: 0.0000005 }).budgetHard).toBe('500');
  });

  it.each([
    ['requestsPerMinute', { requestsPerMinute: 0 }],
    ['tokensPerMinute', { tokensPerMinute: 1.5 }],
    ['parallelRequests', { parallelRequests: 3_000_000_000 }],
    ['budgetHard', { budgetHard: 'much' }],
    ['budgetSoft', { budgetSoft: 11, budgetHard: '10.99' }],
  ])('that make no sense are refused at their field: %s', (field, values) => {
    const { error } = limitsSchema.safeParse({ ...NO_VALUES, ...values });
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([field]);
  });

  it('that make sense are taken', () => {
    expect(limitsSchema.safeParse({ ...NO_VALUES, budgetSoft: '10', budgetHard: 10 }).success).toBe(true);
  });
});
