'use client';
import { BarChart } from '@mantine/charts';
import { Center, SegmentedControl, Text } from '@mantine/core';
import { useMemo, useState } from 'react';
import { formatCompact } from '@/lib/format/quantity';
import { formatDay } from '@/lib/format/time';
import { Section } from '@/ui/section';
import { daysOf, type DayRange } from './range';
import { isFlat, toChart, type Measure, type UsageRow } from './usage-series';

const MEASURES = [
  { value: 'tokens', label: 'Tokens' },
  { value: 'requests', label: 'Requests' },
  { value: 'amount', label: 'Cost' },
];

/** What is said instead of drawing nothing: requests that all failed, for instance, made no tokens. */
const NOTHING: Record<Measure, string> = { tokens: 'No tokens', requests: 'No requests', amount: 'No cost' };

const HEIGHT_PX = 300;

const formatUsd = (usd: number): string =>
  usd.toLocaleString('en-US', { style: 'currency', currency: 'USD', maximumSignificantDigits: 3 });

interface Props {
  rows: UsageRow[];
  range: DayRange;
  description?: string;
  /** Of a series, by its label; left out: by rank. */
  colors?: ReadonlyMap<string, string>;
}

export const UsageChart = ({ rows, range, description = 'UTC days, stacked by target', colors }: Props) => {
  const [measure, setMeasure] = useState<Measure>('tokens');
  const chart = useMemo(() => toChart(rows, daysOf(range), measure), [rows, range, measure]);
  return (
    <Section
      title="By day"
      description={description}
      actions={
        <SegmentedControl
          size="xs"
          data={MEASURES}
          value={measure}
          onChange={(value) => setMeasure(value as Measure)}
          aria-label="Measure"
        />
      }
    >
      {isFlat(chart) ? (
        <Center h={HEIGHT_PX}>
          <Text size="sm" c="dimmed">
            {NOTHING[measure]} in these days
          </Text>
        </Center>
      ) : (
        <BarChart
          h={HEIGHT_PX}
          data={chart.data}
          dataKey="day"
          type="stacked"
          series={chart.series.map((series) => ({ ...series, color: colors?.get(series.label) ?? series.color }))}
          withLegend
          legendProps={{ verticalAlign: 'bottom' }}
          tickLine="none"
          gridAxis="x"
          maxBarWidth={34}
          valueFormatter={measure === 'amount' ? formatUsd : formatCompact}
          xAxisProps={{ tickFormatter: formatDay, minTickGap: 24 }}
          yAxisProps={{ width: 64 }}
          tooltipAnimationDuration={0}
          tooltipProps={{ labelFormatter: (day) => formatDay(String(day)) }}
          role="img"
          aria-label={`Bar chart of ${measure} by day`}
        />
      )}
    </Section>
  );
};
