'use client';
import { Button, Group, Paper, SegmentedControl, Skeleton, Stack } from '@mantine/core';
import { IconCalendarOff, IconChartBar, IconDownload } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { UsageGroupsDocument } from '@/lib/api/documents/usage';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatNanoUsd } from '@/lib/format/money';
import { ButtonLink } from '@/ui/button-link';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { GROUPINGS, groupingOf, labelOf, nounOf, toRows, type Grouping } from './grouping';
import { lastDays, toInterval, type DayRange } from './range';
import { RangePicker } from './range-picker';
import { UsageChart } from './usage-chart';
import { downloadUsage } from './usage-export';
import { UsageTable } from './usage-table';
import { UsageTotals } from './usage-totals';

export const UsagePage = () => {
  const [recent] = useState(() => lastDays(30, new Date()));
  // Null while someone is typing a range that makes no sense: old totals under it would be taken for its own.
  const [range, setRange] = useState<DayRange | null>(recent);
  const [grouping, setGrouping] = useState<Grouping>('TARGET');
  const { data, error, reload } = useApiQuery(
    UsageGroupsDocument,
    { input: { ...toInterval(range ?? recent), groupBy: ['DAY', grouping] } },
    { types: ['Generation'], pause: range === null },
  );
  const report = range ? data?.tenant.usage : undefined;
  const rows = useMemo(() => toRows(report?.groups ?? []), [report]);
  const shown = groupingOf(report?.groups ?? []);
  return (
    <>
      <PageHeader
        title="Usage"
        description="What was generated, day by day, by target, API key or base model. Idle adapters cost nothing."
        actions={
          <Button
            variant="default"
            leftSection={<IconDownload size={16} />}
            disabled={rows.length === 0}
            onClick={() => range && downloadUsage(rows, range, shown)}
          >
            Export CSV
          </Button>
        }
      />
      <Stack gap="lg">
        <Group justify="space-between" align="flex-start" gap="sm">
          <RangePicker range={range} onRange={setRange} />
          <SegmentedControl
            data={GROUPINGS}
            value={grouping}
            onChange={(value) => setGrouping(value as Grouping)}
            aria-label="Group by"
          />
        </Group>
        {!range ? (
          <Paper>
            <EmptyState icon={<IconCalendarOff />} title="No valid range">
              Correct the days above to see their usage.
            </EmptyState>
          </Paper>
        ) : error && !report ? (
          <ErrorState message={error.message} onRetry={reload} />
        ) : (
          <>
            <UsageTotals totals={report?.totals} amount={report && formatNanoUsd(report.totals.amount)} />
            {!report && <Skeleton height={360} radius="lg" />}
            {report && rows.length === 0 && (
              <Paper>
                <EmptyState
                  icon={<IconChartBar />}
                  title="No usage in these days"
                  action={
                    <ButtonLink href="/playground" variant="light">
                      Open the playground
                    </ButtonLink>
                  }
                >
                  Requests show here as soon as they end.
                </EmptyState>
              </Paper>
            )}
            {rows.length > 0 && (
              <>
                <UsageChart rows={rows} range={range} description={`UTC days, stacked by ${nounOf(shown)}`} />
                <UsageTable rows={rows} by={labelOf(shown)} />
              </>
            )}
          </>
        )}
      </Stack>
    </>
  );
};
