'use client';
import { Skeleton, Stack } from '@mantine/core';
import { BillingDocument } from '@/lib/api/documents/billing';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ErrorState } from '@/ui/error-state';
import { PageHeader } from '@/ui/page-header';
import { Section } from '@/ui/section';
import { BillingDetailsSection } from './billing-details-section';
import { PreviewSection } from './preview-section';
import { StatementTable } from './statement-table';

/** The API's largest page: more than eight years of months. */
const STATEMENTS_MAX = 100;

export const BillingPage = () => {
  const { data, error, reload } = useApiQuery(
    BillingDocument,
    { first: STATEMENTS_MAX },
    { types: ['Generation', 'Statement'] },
  );
  return (
    <>
      <PageHeader
        title="Billing"
        description="What the workspace owes, month by month. Issued statements never change; usage that is settled late is billed in the next one."
      />
      <Stack gap="lg">
        {data ? (
          <>
            {data.tenant.openStatements.map((statement, index) => (
              <PreviewSection key={statement.id} statement={statement} ended={index > 0} />
            ))}
            <Section title="Statements">
              <StatementTable rows={data.tenant.statements.nodes} />
            </Section>
          </>
        ) : error ? (
          <ErrorState message={error.message} onRetry={reload} />
        ) : (
          <Stack role="status" aria-label="Loading statements">
            <Skeleton height={190} radius="lg" />
            <Skeleton height={220} radius="lg" />
          </Stack>
        )}
        <BillingDetailsSection />
      </Stack>
    </>
  );
};
