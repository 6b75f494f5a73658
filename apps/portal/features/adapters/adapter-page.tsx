'use client';
import { Alert, Button, Grid, Skeleton, Stack, Text } from '@mantine/core';
import { useDisclosure, useInterval } from '@mantine/hooks';
import { IconCircleX, IconMessages, IconStackPop, IconTrash, IconUpload } from '@tabler/icons-react';
import { useRouter } from 'next/navigation';
import { useCallback, useEffect } from 'react';
import { IMPORT_LOOK_MS } from '@/features/import/import-flow';
import { ImportProgress } from '@/features/import/import-progress';
import { UploadDrawer } from '@/features/upload/upload-drawer';
import { isMissing } from '@/lib/api/api-error';
import { AdapterDocument } from '@/lib/api/documents/adapters';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { BackLink } from '@/ui/back-link';
import { ButtonLink } from '@/ui/button-link';
import { ErrorState } from '@/ui/error-state';
import { Missing } from '@/ui/missing';
import { PageHeader } from '@/ui/page-header';
import { Section } from '@/ui/section';
import { AdapterFiles } from './adapter-files';
import { isImporting } from './adapter-status';
import { AdapterSummaryList } from './adapter-summary-list';
import { AdapterTitle } from './adapter-title';
import { AdapterUsage } from './adapter-usage';
import { CodeSnippets } from './code-snippets';
import { isFailedImport } from './problem-kinds';
import { ProblemList } from './problem-list';
import { useDeleteAdapter } from './use-delete-adapter';

export const AdapterPage = ({ id }: { id: string }) => {
  const { data, error, reload } = useApiQuery(AdapterDocument, { id }, { types: ['Adapter'] });
  return (
    <>
      <BackLink href="/adapters">All adapters</BackLink>
      {error && isMissing(error) ? (
        <Missing icon={<IconStackPop />} noun="adapter">
          It may have been deleted, or belong to another workspace. What it used stays in your reports.
        </Missing>
      ) : data ? (
        <AdapterDetails adapter={data.adapter} onLook={reload} />
      ) : error ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Loading />
      )}
    </>
  );
};

const Loading = () => (
  <Stack role="status" aria-label="Loading adapter">
    <Skeleton height={34} width="40%" />
    <Skeleton height={220} radius="lg" />
    <Skeleton height={180} radius="lg" />
  </Stack>
);

/** An import goes on without anyone here. */
const useLooks = (importing: boolean, onLook: () => void): void => {
  const { start, stop } = useInterval(onLook, IMPORT_LOOK_MS);
  useEffect(() => {
    if (importing) start();
    return stop;
  }, [importing, start, stop]);
};

const AdapterDetails = ({ adapter, onLook }: { adapter: AdapterDetailFieldsFragment; onLook: () => void }) => {
  const router = useRouter();
  const [uploading, upload] = useDisclosure(false);
  const deleteAdapter = useDeleteAdapter(useCallback(() => router.replace('/adapters'), [router]));
  const importing = isImporting(adapter);
  const unfinished = adapter.status === 'UPLOADING' && !importing;
  useLooks(importing, onLook);
  const subject = {
    ...adapter,
    baseModelId: adapter.baseModel.id,
    mode: unfinished ? ('continue' as const) : ('replace' as const),
  };

  const actions = (
    <>
      {adapter.status === 'READY' && (
        <ButtonLink
          href={`/playground?target=${encodeURIComponent(adapter.slug)}`}
          leftSection={<IconMessages size={16} />}
        >
          Try in playground
        </ButtonLink>
      )}
      {adapter.status !== 'READY' && !importing && (
        <Button leftSection={<IconUpload size={16} />} onClick={upload.open}>
          {unfinished ? 'Continue upload' : adapter.source ? 'Try again' : 'Upload again'}
        </Button>
      )}
      <Button variant="default" leftSection={<IconTrash size={16} />} onClick={() => deleteAdapter(adapter)}>
        Delete
      </Button>
    </>
  );

  return (
    <>
      <PageHeader
        title={<AdapterTitle adapter={adapter} />}
        description={adapter.description || (adapter.name !== adapter.slug && adapter.name)}
        actions={actions}
      />
      <Stack gap="lg">
        {adapter.status === 'REFUSED' && (
          <>
            <Refusal adapter={adapter} />
            <ProblemList problems={adapter.problems} />
          </>
        )}
        {importing && <ImportProgress adapter={adapter} />}
        {unfinished && (
          <Alert color="amber" title="The upload is not finished">
            The API waits for the rest of the files. Continue the upload, or delete the adapter.
          </Alert>
        )}
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, md: adapter.status === 'READY' ? 5 : 6 }}>
            <AdapterSummaryList adapter={adapter} />
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: adapter.status === 'READY' ? 7 : 6 }}>
            <Stack gap="lg">
              {adapter.status === 'READY' && (
                <Section title="Call it">
                  <CodeSnippets target={adapter.slug} />
                </Section>
              )}
              <AdapterFiles adapter={adapter} />
            </Stack>
          </Grid.Col>
        </Grid>
        {adapter.status === 'READY' && <AdapterUsage adapterId={adapter.id} />}
      </Stack>
      <UploadDrawer opened={uploading} onClose={upload.close} subject={subject} />
    </>
  );
};

const Refusal = ({ adapter }: { adapter: AdapterDetailFieldsFragment }) => {
  const failed = isFailedImport(adapter.problems);
  return (
    <Alert color="red" icon={<IconCircleX />} title={failed ? 'The import failed' : 'This adapter was refused'}>
      <Text size="sm">
        {failed ? 'Its files could not be had, so' : `It does not fit ${adapter.baseModel.name}, so`} it cannot be called.
        Nothing else of yours is affected.
      </Text>
    </Alert>
  );
};
