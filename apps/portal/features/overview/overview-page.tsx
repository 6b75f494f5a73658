'use client';
import { Grid, SimpleGrid, Skeleton, Stack } from '@mantine/core';
import { IconCoin, IconSend, IconStack2, IconTypography } from '@tabler/icons-react';
import { useState } from 'react';
import { useSession } from '@/features/session/session-context';
import { lastDays, toInterval } from '@/features/usage/range';
import { AdaptersDocument, BaseModelsDocument } from '@/lib/api/documents/adapters';
import { ApiKeysDocument } from '@/lib/api/documents/api-keys';
import { UsageDocument } from '@/lib/api/documents/usage';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCompact, formatCount } from '@/lib/format/quantity';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { StatCard } from '@/ui/stat-card';
import { BaseModels } from './base-models';
import { GettingStarted } from './getting-started';
import { RecentAdapters } from './recent-adapters';
import { UsageTrend } from './usage-trend';

const RECENT = 5;
const DAYS = 30;
/** About what the first steps and one base model take. */
const ASIDE_PX = 380;

export const OverviewPage = () => {
  const { viewer } = useSession();
  const [range] = useState(() => lastDays(DAYS, new Date()));
  const adapters = useApiQuery(
    AdaptersDocument,
    { first: RECENT, after: null, status: null, search: null },
    { types: ['Adapter'] },
  );
  const usage = useApiQuery(UsageDocument, { input: toInterval(range) }, { types: ['Generation'] });
  const keys = useApiQuery(ApiKeysDocument, {}, { types: ['ApiKey'] });
  const models = useApiQuery(BaseModelsDocument, {});

  const connection = adapters.data?.tenant.adapters;
  const report = usage.data?.tenant.usage;
  const totals = report?.totals;
  const failed = [adapters, usage, keys, models].filter(({ error, data }) => error && !data);
  // Whether the first steps are still to be shown is known only then; until it is, nothing is put where they go.
  const settled = Boolean(connection && totals && keys.data) || failed.length > 0;
  const days = `last ${DAYS} days`;
  return (
    <>
      <PageHeader
        title={`Hello, ${viewer.name.split(' ')[0]}`}
        description="Your adapters and what they did lately."
      />
      <Stack gap="lg">
        {failed[0]?.error && (
          <ErrorState
            title="Some of this could not be loaded"
            message={failed[0].error.message}
            onRetry={() => failed.forEach(({ reload }) => reload())}
          />
        )}
        <SimpleGrid cols={{ base: 2, md: 4 }} spacing={{ base: 'sm', sm: 'md' }}>
          <StatCard
            label="Adapters"
            value={formatCount(connection?.totalCount ?? 0)}
            hint="of your workspace"
            loading={!connection}
            icon={<IconStack2 size={16} />}
          />
          <StatCard
            label="Requests"
            value={formatCount(totals?.requests ?? 0)}
            hint={days}
            loading={!totals}
            icon={<IconSend size={16} />}
          />
          <StatCard
            label="Tokens"
            value={formatCompact((totals?.promptTokens ?? 0) + (totals?.completionTokens ?? 0))}
            hint={days}
            loading={!totals}
            icon={<IconTypography size={16} />}
          />
          <StatCard
            label="Amount"
            value={formatNanoUsd(totals?.amount ?? '0')}
            hint={days}
            loading={!totals}
            icon={<IconCoin size={16} />}
          />
        </SimpleGrid>
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, md: 7 }}>
            <Stack gap="lg">
              {(report || !usage.error) && <UsageTrend rows={report?.rows} range={range} />}
              <RecentAdapters adapters={connection?.nodes} />
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: 5 }}>
            <Stack gap="lg">
              {!settled && <Skeleton height={ASIDE_PX} radius="lg" />}
              {connection && totals && keys.data && (
                <GettingStarted
                  hasAdapter={connection.totalCount > 0}
                  hasUsage={totals.requests > 0}
                  hasKey={keys.data.tenant.apiKeys.length > 0}
                />
              )}
              {settled && <BaseModels models={models.data?.baseModels} />}
            </Stack>
          </Grid.Col>
        </Grid>
      </Stack>
    </>
  );
};
