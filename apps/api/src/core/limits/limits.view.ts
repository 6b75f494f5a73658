import { endOf, monthOf } from '../../base/month.js';
import type { Limits } from '../../models/limit.model.js';
import type { LimitsInUse } from './limits.service.js';
import type { BudgetType, LimitCeilings } from './limits.types.js';

export const budgetView = ({ limits, use }: LimitsInUse): BudgetType => ({
  soft: limits.budgetSoftNanoUsd,
  hard: limits.budgetHardNanoUsd,
  spent: use.spentNanoUsd,
  reserved: use.reservedNanoUsd,
  resetsAt: endOf(monthOf(new Date())),
});

export const ceilingsView = (ceilings: Limits): LimitCeilings => ({ ...ceilings, budgetHard: ceilings.budgetHardNanoUsd });
