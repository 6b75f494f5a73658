'use client';
import { Badge, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconReceiptOff } from '@tabler/icons-react';
import { isMissing } from '@/lib/api/api-error';
import { StatementDocument } from '@/lib/api/documents/billing';
import type { StatementQuery } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatMonth } from '@/lib/format/time';
import { BackLink } from '@/ui/back-link';
import { ErrorState } from '@/ui/error-state';
import { Missing } from '@/ui/missing';
import { PageHeader } from '@/ui/page-header';
import { Section } from '@/ui/section';
import { DownloadMenu } from './download-menu';
import { LineTable } from './line-table';
import { StatementFacts } from './statement-facts';

/** `id`: a statement's, or a month. */
export const StatementPage = ({ id }: { id: string }) => {
  const { data, error, reload } = useApiQuery(StatementDocument, { id }, { types: ['Generation'] });
  return (
    <>
      <BackLink href="/billing">All statements</BackLink>
      {error && isMissing(error) ? (
        <Missing icon={<IconReceiptOff />} noun="statement">
          Nothing was used in that month, or it belongs to another workspace.
        </Missing>
      ) : data ? (
        <StatementDetails statement={data.statement} />
      ) : error ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Loading />
      )}
    </>
  );
};

const Loading = () => (
  <Stack role="status" aria-label="Loading statement">
    <Skeleton height={34} width="40%" />
    <Skeleton height={180} radius="lg" />
    <Skeleton height={260} radius="lg" />
  </Stack>
);

const StatementDetails = ({ statement }: { statement: StatementQuery['statement'] }) => {
  const { id, month, status, number, lines } = statement;
  const name = formatMonth(month);
  const issued = status === 'ISSUED';
  useDocumentTitle(`${name} · Aril`);
  return (
    <>
      <PageHeader
        title={
          <Group gap="sm" component="span">
            <Text component="span" inherit>
              {name}
            </Text>
            <Badge component="span" variant="light" color={issued ? 'leaf' : 'amber'} radius="sm" tt="none">
              {issued ? 'Issued' : 'Preview'}
            </Badge>
          </Group>
        }
        description={
          issued
            ? `Statement ${number}. It never changes; usage of this month that is settled later is billed in the next.`
            : 'As of now. It grows until the month is over and its statement is issued.'
        }
        actions={<DownloadMenu id={id} of={`${issued ? 'statement' : 'preview'} of ${name}`} />}
      />
      <Stack gap="lg">
        <StatementFacts statement={statement} />
        <Section
          title="Lines"
          description="By adapter, API key and price. A line leads to the requests it is the sum of."
        >
          <LineTable statementId={id} lines={lines} />
        </Section>
      </Stack>
    </>
  );
};
