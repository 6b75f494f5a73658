import { SimpleGrid } from '@mantine/core';
import { IconArrowDownLeft, IconArrowUpRight, IconCoin, IconSend } from '@tabler/icons-react';
import type { UsageQuery } from '@/lib/api/generated/graphql';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { StatCard } from '@/ui/stat-card';

type Totals = UsageQuery['tenant']['usage']['totals'];

export const UsageTotals = ({ totals }: { totals: Totals | undefined }) => (
  <SimpleGrid cols={{ base: 2, md: 4 }} spacing={{ base: 'sm', sm: 'md' }}>
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
      value={formatNanoUsd(totals?.amount ?? '0')}
      loading={!totals}
      icon={<IconCoin size={16} />}
    />
  </SimpleGrid>
);
