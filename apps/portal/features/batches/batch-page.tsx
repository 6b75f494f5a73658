'use client';
import { Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconPlayerStop, IconStackPush } from '@tabler/icons-react';
import { isMissing } from '@/lib/api/api-error';
import { BatchDocument } from '@/lib/api/documents/batches';
import type { BatchQuery } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatCount } from '@/lib/format/quantity';
import { formatDateTime } from '@/lib/format/time';
import { BackLink } from '@/ui/back-link';
import { CopyButton } from '@/ui/copy-button';
import { DefinitionList } from '@/ui/definition-list';
import { ErrorState } from '@/ui/error-state';
import { Missing } from '@/ui/missing';
import { PageHeader } from '@/ui/page-header';
import { Section } from '@/ui/section';
import { BatchFiles } from './batch-files';
import { BatchProblems } from './batch-problems';
import { isCancellable, isOpen, nameOf } from './batch-state';
import { BatchProgress, BatchStatusBadge } from './batch-status';
import { useCancelBatch } from './use-cancel-batch';
import { useRefresh } from './use-refresh';

export type BatchDetails = BatchQuery['batch'];

export const BatchPage = ({ id }: { id: string }) => {
  const { data, error, reload } = useApiQuery(BatchDocument, { id });
  useRefresh(data ? isOpen(data.batch) : false, reload);
  return (
    <>
      <BackLink href="/batches">All batches</BackLink>
      {error && isMissing(error) ? (
        <Missing icon={<IconStackPush />} noun="batch">
          It may belong to another workspace.
        </Missing>
      ) : data ? (
        <Details batch={data.batch} />
      ) : error ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Loading />
      )}
    </>
  );
};

const Loading = () => (
  <Stack role="status" aria-label="Loading batch">
    <Skeleton height={34} width="40%" />
    <Skeleton height={220} radius="lg" />
  </Stack>
);

const Details = ({ batch }: { batch: BatchDetails }) => {
  const cancel = useCancelBatch();
  const name = nameOf(batch);
  useDocumentTitle(`${name} · Aril`);
  return (
    <>
      <PageHeader
        title={
          <Group gap="sm" component="span">
            <Text component="span" inherit style={{ overflowWrap: 'anywhere' }}>
              {name}
            </Text>
            <BatchStatusBadge status={batch.status} />
          </Group>
        }
        description={batch.endpoint}
        actions={
          isCancellable(batch) && (
            <Button variant="default" leftSection={<IconPlayerStop size={16} />} onClick={() => cancel(batch)}>
              Cancel
            </Button>
          )
        }
      />
      <Stack gap="lg">
        {batch.problems.length > 0 ? <BatchProblems problems={batch.problems} /> : <Requests batch={batch} />}
        <BatchFiles batch={batch} />
      </Stack>
    </>
  );
};

const Requests = ({ batch }: { batch: BatchDetails }) => {
  const { id, status, total, completed, failed, createdAt, expiresAt, endedAt } = batch;
  return (
    <Section title="Requests" description="What fails has a line in the file of errors, which says why.">
      <Stack>
        <BatchProgress status={status} total={total} completed={completed} failed={failed} />
        <DefinitionList
          items={[
            { term: 'Answered', value: formatCount(completed) },
            { term: 'Failed', value: formatCount(failed) },
            { term: 'Started', value: formatDateTime(createdAt) },
            endedAt ? { term: 'Ended', value: formatDateTime(endedAt) } : { term: 'Answered by', value: formatDateTime(expiresAt) },
            { term: 'ID', value: <BatchId id={id} /> },
          ]}
        />
      </Stack>
    </Section>
  );
};

const BatchId = ({ id }: { id: string }) => (
  <Group gap={4} wrap="nowrap" component="span">
    <Text component="span" size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
      {id}
    </Text>
    <CopyButton value={id} what="batch ID" />
  </Group>
);
