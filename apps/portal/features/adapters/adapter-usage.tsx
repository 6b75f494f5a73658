'use client';
import { Skeleton, Stack } from '@mantine/core';
import { useState } from 'react';
import { lastDays, toInterval } from '@/features/usage/range';
import { UsageChart } from '@/features/usage/usage-chart';
import { UsageTotals } from '@/features/usage/usage-totals';
import { UsageDocument } from '@/lib/api/documents/usage';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ErrorState } from '@/ui/error-state';

const DAYS = 30;

/** What one adapter was asked for, and what that cost, lately. */
export const AdapterUsage = ({ adapterId }: { adapterId: string }) => {
  const [range] = useState(() => lastDays(DAYS, new Date()));
  const { data, error, reload } = useApiQuery(
    UsageDocument,
    { input: { ...toInterval(range), adapterId } },
    { types: ['Generation'] },
  );
  const report = data?.tenant.usage;
  if (error && !report) return <ErrorState message={error.message} onRetry={reload} />;
  return (
    <Stack component="section" aria-label={`Usage of the last ${DAYS} days`} gap="md">
      <UsageTotals totals={report?.totals} />
      {report ? (
        <UsageChart rows={report.rows} range={range} title={`Usage of the last ${DAYS} days`} />
      ) : (
        <Skeleton height={360} radius="lg" />
      )}
    </Stack>
  );
};
