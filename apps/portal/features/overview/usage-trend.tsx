'use client';
import { AreaChart } from '@mantine/charts';
import { useMemo } from 'react';
import { daysOf, type DayRange } from '@/features/usage/range';
import { measureOf, type UsageRow } from '@/features/usage/usage-series';
import { formatCompact } from '@/lib/format/quantity';
import { formatDay } from '@/lib/format/time';
import { Section } from '@/ui/section';
import { TextLink } from '@/ui/text-link';

export const UsageTrend = ({ rows, range }: { rows: UsageRow[]; range: DayRange }) => {
  const data = useMemo(() => {
    const byDay = new Map(daysOf(range).map((day) => [day, 0]));
    for (const row of rows) byDay.set(row.day, (byDay.get(row.day) ?? 0) + measureOf(row, 'tokens'));
    return [...byDay].map(([day, tokens]) => ({ day, tokens }));
  }, [rows, range]);
  return (
    <Section
      title="Tokens by day"
      actions={
        <TextLink href="/usage" size="sm">
          Usage
        </TextLink>
      }
    >
      <AreaChart
        h={170}
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
    </Section>
  );
};
