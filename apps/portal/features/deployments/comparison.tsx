'use client';
import { Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconCalendarOff, IconChartBar } from '@tabler/icons-react';
import { useState } from 'react';
import { lastDays, toInterval, type DayRange } from '@/features/usage/range';
import { RangePicker } from '@/features/usage/range-picker';
import { UsageChart } from '@/features/usage/usage-chart';
import { ComparisonDocument } from '@/lib/api/documents/deployments';
import type { ComparisonQuery } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ButtonLink } from '@/ui/button-link';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { ComparisonTable } from './comparison-table';
import { variantColors } from './variant-colors';

interface Props {
  id: string;
  slug: string;
}

/** How the variants did beside each other, in days of one's choice. */
export const Comparison = ({ id, slug }: Props) => {
  const [recent] = useState(() => lastDays(30, new Date()));
  // Null while someone is typing a range that makes no sense.
  const [range, setRange] = useState<DayRange | null>(recent);
  const interval = toInterval(range ?? recent);
  const { data, error, reload } = useApiQuery(
    ComparisonDocument,
    { id, range: interval, usage: { ...interval, deploymentId: id } },
    { types: ['Generation', 'Deployment'], pause: range === null },
  );
  return (
    <Stack component="section" aria-label="Comparison" gap="md">
      <Group justify="space-between" gap="sm">
        <Title order={2} size="h3">
          Comparison
        </Title>
        <RangePicker range={range} onRange={setRange} />
      </Group>
      {!range ? (
        <Paper>
          <EmptyState icon={<IconCalendarOff />} title="No valid range">
            Correct the days above to compare the variants.
          </EmptyState>
        </Paper>
      ) : error && !data ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : data ? (
        <Results data={data} range={range} slug={slug} />
      ) : (
        <Skeleton height={420} radius="lg" />
      )}
    </Stack>
  );
};

const Results = ({ data, range, slug }: { data: ComparisonQuery; range: DayRange; slug: string }) => {
  const { variants } = data.deployment.comparison;
  const { rows } = data.tenant.usage;
  if (rows.length === 0) {
    return (
      <Paper>
        <EmptyState
          icon={<IconChartBar />}
          title="No requests in these days"
          action={
            <ButtonLink href={`/playground?target=${encodeURIComponent(slug)}`} variant="light">
              Open the playground
            </ButtonLink>
          }
        >
          Requests that name {slug} show here as soon as they end, by the variant that answered.
        </EmptyState>
      </Paper>
    );
  }
  return (
    <>
      <Paper style={{ overflow: 'hidden' }}>
        <ComparisonTable variants={variants} />
      </Paper>
      <Text size="xs" c="dimmed">
        Times are the median and the 95th percentile of requests that ended by themselves, from when a runner took
        them.
      </Text>
      <UsageChart
        rows={rows.map((row) => ({ ...row, target: row.variant }))}
        range={range}
        description="UTC days, stacked by variant"
        colors={variantColors(variants.map(({ target }) => target))}
      />
    </>
  );
};
