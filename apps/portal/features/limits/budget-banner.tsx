'use client';
import { Alert, Anchor } from '@mantine/core';
import { useInterval } from '@mantine/hooks';
import { IconAlertTriangle, IconCoinOff } from '@tabler/icons-react';
import Link from 'next/link';
import { BudgetDocument } from '@/lib/api/documents/limits';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatNanoUsd } from '@/lib/format/money';
import { formatDay } from '@/lib/format/time';
import { budgetState } from './budget-state';

/** Programs spend while a page stays open. */
const REFRESH_MS = 60_000;

/** Says on every page that the month's budget needs attention; otherwise nothing. A budget that is unknown says nothing. */
export const BudgetBanner = () => {
  const { data, reload } = useApiQuery(BudgetDocument, {}, { types: ['Tenant', 'Generation'] });
  useInterval(reload, REFRESH_MS, { autoInvoke: true });
  if (!data) return null;
  const { budget } = data.tenant;
  const { soft, hard, spent, resetsAt } = budget;
  const state = budgetState(budget);
  if (state === 'within') return null;
  const usedUp = state === 'used-up';
  return (
    <Alert
      mb="lg"
      role="status"
      color={usedUp ? 'red' : 'amber'}
      icon={usedUp ? <IconCoinOff /> : <IconAlertTriangle />}
      title={usedUp ? 'This month’s budget is used up' : 'This month’s spending is past its warning'}
    >
      {formatNanoUsd(spent)} spent{hard === null ? `, warning from ${formatNanoUsd(soft ?? '0')}` : ` of ${formatNanoUsd(hard)}`}.{' '}
      {usedUp
        ? `Requests that could cost more than what is left are refused until ${formatDay(resetsAt.slice(0, 10))} (UTC).`
        : hard === null
          ? 'Nothing is refused.'
          : `Requests are refused from ${formatNanoUsd(hard)} on.`}{' '}
      <Anchor component={Link} href="/settings" size="sm" c="inherit" underline="always">
        Limits and budget
      </Anchor>
    </Alert>
  );
};
