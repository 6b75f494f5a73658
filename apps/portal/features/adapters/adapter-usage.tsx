'use client';
import { Skeleton, Stack, Title } from '@mantine/core';
import { useState } from 'react';
import { lastDays, toInterval } from '@/features/usage/range';
import { UsageChart } from '@/features/usage/usage-chart';
import { UsageTotals } from '@/features/usage/usage-totals';
import { UsageDocument } from '@/lib/api/documents/usage';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatNanoUsd } from '@/lib/format/money';
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
    <Stack component="section" aria-label={`Last ${DAYS} days`} gap="md">
      <Title order={2} size="h3">
        Last {DAYS} days
      </Title>
      <UsageTotals totals={report?.totals} amount={report && formatNanoUsd(report.totals.amount)} />
      {report ? <UsageChart rows={report.rows} range={range} /> : <Skeleton height={360} radius="lg" />}
    </Stack>
  );
};
