'use client';
import { Button, Grid, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconArrowsSplit2, IconMessages, IconPencil, IconTrash } from '@tabler/icons-react';
import { useRouter } from 'next/navigation';
import { useCallback } from 'react';
import { CodeSnippets } from '@/features/adapters/code-snippets';
import { isMissing } from '@/lib/api/api-error';
import { DeploymentDocument } from '@/lib/api/documents/deployments';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { BackLink } from '@/ui/back-link';
import { ButtonLink } from '@/ui/button-link';
import { CopyButton } from '@/ui/copy-button';
import { ErrorState } from '@/ui/error-state';
import { Missing } from '@/ui/missing';
import { PageHeader } from '@/ui/page-header';
import { Section } from '@/ui/section';
import { Comparison } from './comparison';
import { DeploymentDrawer } from './deployment-drawer';
import { DeploymentSplit } from './deployment-split';
import { useDeleteDeployment } from './use-delete-deployment';

export const DeploymentPage = ({ id }: { id: string }) => {
  const { data, error, reload } = useApiQuery(DeploymentDocument, { id }, { types: ['Deployment'] });
  return (
    <>
      <BackLink href="/deployments">All deployments</BackLink>
      {error && isMissing(error) ? (
        <Missing icon={<IconArrowsSplit2 />} noun="deployment">
          It may have been deleted, or belong to another workspace. What it used stays in your reports.
        </Missing>
      ) : data ? (
        <Details deployment={data.deployment} />
      ) : error ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : (
        <Loading />
      )}
    </>
  );
};

const Loading = () => (
  <Stack role="status" aria-label="Loading deployment">
    <Skeleton height={34} width="40%" />
    <Skeleton height={180} radius="lg" />
    <Skeleton height={420} radius="lg" />
  </Stack>
);

const Details = ({ deployment }: { deployment: DeploymentFieldsFragment }) => {
  const { id, slug, name, description } = deployment;
  const router = useRouter();
  const [editing, drawer] = useDisclosure(false);
  const deleteDeployment = useDeleteDeployment(useCallback(() => router.replace('/deployments'), [router]));
  const saved = (): void =>
    void notifications.show({ color: 'leaf', title: 'Deployment saved', message: `The next request to ${slug} follows it.` });
  const actions = (
    <>
      <ButtonLink href={`/playground?target=${encodeURIComponent(slug)}`} leftSection={<IconMessages size={16} />}>
        Try in playground
      </ButtonLink>
      <Button variant="default" leftSection={<IconPencil size={16} />} onClick={drawer.open}>
        Edit
      </Button>
      <Button variant="default" leftSection={<IconTrash size={16} />} onClick={() => deleteDeployment(deployment)}>
        Delete
      </Button>
    </>
  );
  return (
    <>
      <PageHeader title={<Name slug={slug} />} description={description || (name !== slug && name)} actions={actions} />
      <Stack gap="xl">
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, md: 5 }}>
            <DeploymentSplit deployment={deployment} />
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: 7 }}>
            <Section title="Call it" description="The same user always gets the same variant; without one, any by weight.">
              <CodeSnippets target={slug} user="customer-42" />
            </Section>
          </Grid.Col>
        </Grid>
        <Comparison id={id} slug={slug} />
      </Stack>
      <DeploymentDrawer opened={editing} onClose={drawer.close} deployment={deployment} onSaved={saved} />
    </>
  );
};

const Name = ({ slug }: { slug: string }) => (
  <Group gap="sm" component="span">
    <Text component="span" inherit>
      {slug}
    </Text>
    <CopyButton value={slug} what="slug" />
  </Group>
);
