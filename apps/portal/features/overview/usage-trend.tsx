'use client';
import { AreaChart } from '@mantine/charts';
import { Center, Skeleton } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { useMemo } from 'react';
import { daysOf, type DayRange } from '@/features/usage/range';
import { measureOf, type UsageRow } from '@/features/usage/usage-series';
import { formatCompact } from '@/lib/format/quantity';
import { formatDay } from '@/lib/format/time';
import { EmptyState } from '@/ui/empty-state';
import { Section } from '@/ui/section';
import { TextLink } from '@/ui/text-link';

/** As much as the empty state takes. */
const HEIGHT_PX = 200;

/** `rows` is missing while it is loading; the room is kept, so that what stands below does not move. */
export const UsageTrend = ({ rows, range }: { rows: UsageRow[] | undefined; range: DayRange }) => {
  const data = useMemo(() => {
    const byDay = new Map(daysOf(range).map((day) => [day, 0]));
    for (const row of rows ?? []) byDay.set(row.day, (byDay.get(row.day) ?? 0) + measureOf(row, 'tokens'));
    return [...byDay].map(([day, tokens]) => ({ day, tokens }));
  }, [rows, range]);
  const flat = data.every(({ tokens }) => tokens === 0);
  return (
    <Section
      title="Tokens by day"
      actions={
        <TextLink href="/usage" size="sm">
          Usage
        </TextLink>
      }
    >
      {!rows && <Skeleton height={HEIGHT_PX} />}
      {rows && flat && (
        <Center mih={HEIGHT_PX}>
          <EmptyState icon={<IconChartBar />} title="No tokens yet">
            What your adapters generate shows here, day by day.
          </EmptyState>
        </Center>
      )}
      {rows && !flat && (
        <AreaChart
          h={HEIGHT_PX}
          data={data}
          dataKey="day"
          series={[{ name: 'tokens', label: 'Tokens', color: 'garnet.6' }]}
          curveType="monotone"
          gridAxis="none"
          withYAxis={false}
          withDots={false}
          tickLine="none"
          valueFormatter={formatCompact}
          xAxisProps={{ tickFormatter: formatDay, minTickGap: 60 }}
          tooltipProps={{ labelFormatter: (day) => formatDay(String(day)) }}
          role="img"
          aria-label="Tokens by day of the last 30 days"
        />
      )}
    </Section>
  );
};
