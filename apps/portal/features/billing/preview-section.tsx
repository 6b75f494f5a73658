'use client';
import { Group } from '@mantine/core';
import { UsageTotals } from '@/features/usage/usage-totals';
import type { StatementFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBilledUsd } from '@/lib/format/money';
import { formatMonth } from '@/lib/format/time';
import { ButtonLink } from '@/ui/button-link';
import { Section } from '@/ui/section';
import { DownloadMenu } from './download-menu';
import { ROUNDING } from './rounding';

interface Props {
  statement: StatementFieldsFragment;
  /** A month that is over is only waiting for late settlements. */
  ended: boolean;
}

export const PreviewSection = ({ statement, ended }: Props) => {
  const { id, month, amount, totals } = statement;
  const name = formatMonth(month);
  return (
    <Section
      title={ended ? name : `${name} so far`}
      description={
        ended
          ? 'Over; its statement is issued once late settlements have had their time.'
          : 'Grows with every request. The statement is issued when the month is over (UTC).'
      }
      actions={
        <Group gap="xs">
          <ButtonLink href={`/billing/${id}`} variant="light" aria-label={`Details of ${name}`}>
            Details
          </ButtonLink>
          <DownloadMenu id={id} of={`preview of ${name}`} />
        </Group>
      }
    >
      <UsageTotals totals={totals} amount={formatBilledUsd(amount)} amountHint={ROUNDING} />
    </Section>
  );
};
