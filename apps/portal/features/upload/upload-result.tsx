'use client';
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { isFailedImport } from '@/features/adapters/problem-kinds';
import { ProblemList } from '@/features/adapters/problem-list';
import { formatRank, formatTargets } from '@/features/adapters/adapter-facts';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBytes } from '@/lib/format/quantity';
import { ButtonLink } from '@/ui/button-link';
import { DefinitionList } from '@/ui/definition-list';

interface Props {
  adapter: AdapterDetailFieldsFragment;
  onAgain: () => void;
  onClose: () => void;
}

export const UploadResult = ({ adapter, onAgain, onClose }: Props) =>
  adapter.status === 'READY' ? (
    <Accepted adapter={adapter} onClose={onClose} />
  ) : (
    <Refused adapter={adapter} onAgain={onAgain} onClose={onClose} />
  );

const Accepted = ({ adapter, onClose }: Omit<Props, 'onAgain'>) => (
  <Stack>
    <Alert color="leaf" icon={<IconCircleCheck />} title={`${adapter.slug} is ready`} role="status">
      It was checked against {adapter.baseModel.name} and can be called now.
    </Alert>
    {adapter.summary && (
      <DefinitionList
        items={[
          { term: 'Rank', value: formatRank(adapter.summary) },
          { term: 'Targets', value: formatTargets(adapter.summary.targetModules) },
          { term: 'Size', value: formatBytes(adapter.bytes) },
        ]}
      />
    )}
    <Group>
      <ButtonLink href={`/playground?target=${encodeURIComponent(adapter.slug)}`}>
        Try in playground
      </ButtonLink>
      <ButtonLink href={`/adapters/${adapter.id}`} variant="default">
        Show details
      </ButtonLink>
      <Button variant="subtle" onClick={onClose}>
        Close
      </Button>
    </Group>
  </Stack>
);

const Refused = ({ adapter, onAgain, onClose }: Props) => (
  <Stack>
    {isFailedImport(adapter.problems) ? (
      <Alert color="red" icon={<IconCircleX />} title={`${adapter.slug} could not be imported`} role="alert" />
    ) : (
      <Alert color="red" icon={<IconCircleX />} title={`${adapter.slug} was refused`} role="alert">
        <Text size="sm">
          {adapter.problems.length === 1 ? 'One thing does' : `${adapter.problems.length} things do`} not fit{' '}
          {adapter.baseModel.name}. Nothing was put into service.
        </Text>
      </Alert>
    )}
    <ProblemList problems={adapter.problems} />
    <Group>
      <Button onClick={onAgain}>{adapter.source ? 'Try again' : 'Choose other files'}</Button>
      <Button variant="subtle" onClick={onClose}>
        Close
      </Button>
    </Group>
  </Stack>
);
