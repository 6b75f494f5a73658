import { SimpleGrid } from '@mantine/core';
import { IconArrowDownLeft, IconArrowUpRight, IconCoin, IconSend } from '@tabler/icons-react';
import type { UsageQuery } from '@/lib/api/generated/graphql';
import { formatCount } from '@/lib/format/quantity';
import { StatCard } from '@/ui/stat-card';

type Totals = UsageQuery['tenant']['usage']['totals'];

interface Props {
  /** Missing while they are loading. */
  totals: Omit<Totals, 'amount'> | undefined;
  amount: string | undefined;
  /** Said under the amount. */
  amountHint?: string;
  /** Two rows of two, beside something else. */
  square?: boolean;
}

export const UsageTotals = ({ totals, amount, amountHint, square = false }: Props) => (
  <SimpleGrid cols={square ? 2 : { base: 2, md: 4 }} spacing={{ base: 'sm', sm: 'md' }}>
    <StatCard
      label="Requests"
      value={formatCount(totals?.requests ?? 0)}
      hint={`${formatCount(totals?.failedRequests ?? 0)} failed, at no cost`}
      loading={!totals}
      icon={<IconSend size={16} />}
    />
    <StatCard
      label="Tokens in"
      value={formatCount(totals?.promptTokens ?? 0)}
      hint={`${formatCount(totals?.cachedTokens ?? 0)} cached`}
      loading={!totals}
      icon={<IconArrowUpRight size={16} />}
    />
    <StatCard
      label="Tokens out"
      value={formatCount(totals?.completionTokens ?? 0)}
      loading={!totals}
      icon={<IconArrowDownLeft size={16} />}
    />
    <StatCard
      label="Amount"
      value={amount ?? '$0.00'}
      hint={amountHint}
      loading={!totals}
      icon={<IconCoin size={16} />}
    />
  </SimpleGrid>
);
