'use client';
import { Paper } from '@mantine/core';
import { IconCalendarOff, IconHistory, IconLock, IconSearch } from '@tabler/icons-react';
import { useManages } from '@/features/session/use-manages';
import { AuditChoicesDocument, AuditEventsDocument } from '@/lib/api/documents/audit';
import { useApiQuery } from '@/lib/api/use-api-query';
import { useCursorPage } from '@/lib/api/use-cursor-page';
import { EmptyState } from '@/ui/empty-state';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { AuditFilters } from './audit-filters';
import { AuditTable } from './audit-table';
import { filterOf, isNarrowed, periodProblem, type AuditView } from './audit-view';
import { ExportMenu } from './export-menu';
import { useAuditView } from './use-audit-view';

const PAGE_SIZE = 25;

export const AuditPage = () => {
  const manages = useManages();
  const [view, show] = useAuditView();
  return (
    <>
      <PageHeader
        title="Audit log"
        description="Who changed what in this workspace, and when. Entries are written with the change and never edited."
        actions={manages && !periodProblem(view) && <ExportMenu view={view} />}
      />
      {manages ? (
        <Log view={view} show={show} />
      ) : (
        <Paper>
          <EmptyState icon={<IconLock />} title="For owners and admins">
            Ask one of them if you need to know what was changed.
          </EmptyState>
        </Paper>
      )}
    </>
  );
};

const Log = ({ view, show }: { view: AuditView; show: (change: Partial<AuditView>) => void }) => {
  const choices = useApiQuery(AuditChoicesDocument, {}).data;
  const problem = periodProblem(view);
  return (
    <>
      <AuditFilters view={view} onChange={show} actions={choices?.auditActions ?? []} actors={choices?.tenant.auditActors ?? []} problem={problem} />
      {problem ? (
        <Paper>
          <EmptyState icon={<IconCalendarOff />} title="No valid period">
            Correct the days above to see what was changed.
          </EmptyState>
        </Paper>
      ) : (
        <Events view={view} onPage={(page) => show({ page })} labels={new Map(choices?.auditActions.map(({ name, label }) => [name, label]))} />
      )}
    </>
  );
};

const Events = ({ view, onPage, labels }: { view: AuditView; onPage: (page: number) => void; labels: ReadonlyMap<string, string> }) => {
  const { connection, data, error, loading, reload, page } = useCursorPage(AuditEventsDocument, {
    filter: { filter: filterOf(view) },
    page: view.page,
    pageSize: PAGE_SIZE,
    // Whatever the portal changes is in the log a moment later.
    types: ['AuditEvent', 'Tenant', 'Adapter', 'ApiKey', 'Deployment', 'BillingDetails', 'Invitation'],
    connectionOf: (answer) => answer.tenant.auditEvents,
  });
  if (error && !connection) return <ErrorState message={error.message} onRetry={reload} />;
  const empty = isNarrowed(view) ? (
    <EmptyState icon={<IconSearch />} title="Nothing matches">
      Take back a condition above to see more.
    </EmptyState>
  ) : (
    <EmptyState icon={<IconHistory />} title="Nothing was changed yet">
      What people, API keys and the system change from now on is listed here.
    </EmptyState>
  );
  return (
    <Paper style={{ overflow: 'hidden' }}>
      <AuditTable
        rows={connection?.nodes ?? []}
        tenantId={data?.tenant.id ?? ''}
        labels={labels}
        fetching={loading}
        total={connection?.totalCount ?? 0}
        page={page}
        pageSize={PAGE_SIZE}
        onPage={onPage}
        empty={loading ? <span /> : empty}
      />
    </Paper>
  );
};
