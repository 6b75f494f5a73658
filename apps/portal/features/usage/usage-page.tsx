'use client';
import { Button, Paper, Skeleton, Stack } from '@mantine/core';
import { IconCalendarOff, IconChartBar, IconDownload } from '@tabler/icons-react';
import { useState } from 'react';
import { UsageDocument } from '@/lib/api/documents/usage';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ButtonLink } from '@/ui/button-link';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
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
  const { data, error, reload } = useApiQuery(
    UsageDocument,
    { input: toInterval(range ?? recent) },
    { types: ['Generation'], pause: range === null },
  );
  const report = range ? data?.tenant.usage : undefined;
  const rows = report?.rows ?? [];
  return (
    <>
      <PageHeader
        title="Usage"
        description="What your adapters generated, by day and target. Idle adapters cost nothing."
        actions={
          <Button
            variant="default"
            leftSection={<IconDownload size={16} />}
            disabled={rows.length === 0}
            onClick={() => range && downloadUsage(rows, range)}
          >
            Export CSV
          </Button>
        }
      />
      <Stack gap="lg">
        <RangePicker range={range} onRange={setRange} />
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
            <UsageTotals totals={report?.totals} />
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
                <UsageChart rows={rows} range={range} />
                <UsageTable rows={rows} />
              </>
            )}
          </>
        )}
      </Stack>
    </>
  );
};
