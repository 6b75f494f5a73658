import { Group, Progress, Text } from '@mantine/core';
import { formatNanoUsd } from '@/lib/format/money';
import { formatDay } from '@/lib/format/time';
import classes from './budget-bar.module.css';
import { budgetState, percentOf, type BudgetState } from './budget-state';
import type { Budget } from './limit-values';

const COLORS: Record<BudgetState, string> = { within: 'garnet', warning: 'amber', 'used-up': 'red' };

/** What a month's budget has been spent on, what is reserved of it, and where its warning is. */
export const BudgetBar = ({ budget }: { budget: Budget }) => {
  const { soft, hard, spent, reserved, resetsAt } = budget;
  const limit = hard ?? soft;
  const color = COLORS[budgetState(budget)];
  const spentPercent = percentOf(spent, budget);
  return (
    <div>
      <Group justify="space-between" mb={6} gap="xs">
        <Text size="sm">{formatNanoUsd(spent)} spent this month</Text>
        <Text size="sm" c="dimmed">
          {limit === null ? 'no budget set' : `of ${formatNanoUsd(limit)}${hard === null ? ' (warning only)' : ''}`}
        </Text>
      </Group>
      {limit !== null && (
        <div className={classes.track}>
          <Progress.Root size="lg" radius="xl">
            <Progress.Section value={spentPercent} color={color} aria-label="Budget spent" />
            <Progress.Section
              value={Math.min(percentOf(reserved, budget), 100 - spentPercent)}
              color={color}
              striped
              opacity={0.5}
              aria-label="Budget reserved"
            />
          </Progress.Root>
          {soft !== null && hard !== null && (
            <span
              className={classes.soft}
              style={{ insetInlineStart: `${percentOf(soft, budget)}%` }}
              title={`Warning from ${formatNanoUsd(soft)}`}
            />
          )}
        </div>
      )}
      <Text size="xs" c="dimmed" mt={6}>
        {[
          reserved !== '0' && `Up to ${formatNanoUsd(reserved)} reserved for requests that wait or run.`,
          soft !== null && hard !== null && `Warning from ${formatNanoUsd(soft)}.`,
          `Starts anew on ${formatDay(resetsAt.slice(0, 10))} (UTC).`,
        ]
          .filter(Boolean)
          .join(' ')}
      </Text>
    </div>
  );
};
