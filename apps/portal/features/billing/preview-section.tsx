'use client';
import { Group, SimpleGrid } from '@mantine/core';
import type { StatementFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBilledUsd } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { formatMonth } from '@/lib/format/time';
import { ButtonLink } from '@/ui/button-link';
import { Section } from '@/ui/section';
import { StatCard } from '@/ui/stat-card';
import { DownloadMenu } from './download-menu';

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
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing={{ base: 'sm', sm: 'md' }}>
        <StatCard label="Amount" value={formatBilledUsd(amount)} />
        <StatCard
          label="Requests"
          value={formatCount(totals.requests)}
          hint={`${formatCount(totals.failedRequests)} failed, at no cost`}
        />
        <StatCard
          label="Tokens in"
          value={formatCount(totals.promptTokens)}
          hint={`${formatCount(totals.cachedTokens)} cached`}
        />
        <StatCard label="Tokens out" value={formatCount(totals.completionTokens)} />
      </SimpleGrid>
    </Section>
  );
};
