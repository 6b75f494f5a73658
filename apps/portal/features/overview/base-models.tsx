import { Badge, Group, Skeleton, Stack, Text } from '@mantine/core';
import type { BaseModelsQuery } from '@/lib/api/generated/graphql';
import { formatPricePerMillion } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import { Section } from '@/ui/section';

type BaseModel = BaseModelsQuery['baseModels'][number];

const Row = ({ model }: { model: BaseModel }) => (
  <Stack component="li" gap={2}>
    <Group justify="space-between" wrap="nowrap">
      <Text size="sm" fw={600} truncate>
        {model.name}
      </Text>
      <Badge
        color={model.runnersOnline > 0 ? 'leaf' : 'gray'}
        variant="dot"
        tt="none"
        style={{ flexShrink: 0 }}
      >
        {model.runnersOnline > 0 ? 'Online' : 'No runner'}
      </Badge>
    </Group>
    <Text size="xs" c="dimmed">
      {formatCount(model.contextTokens)} tokens context · {formatPricePerMillion(model.promptNanoUsdPerToken)}{' '}
      in, {formatPricePerMillion(model.completionNanoUsdPerToken)} out per million
    </Text>
  </Stack>
);

export const BaseModels = ({ models }: { models: BaseModel[] | undefined }) => (
  <Section title="Base models" description="Adapters cost what their base model costs.">
    {!models && <Skeleton height={48} />}
    {models && (
      <Stack component="ul" gap="md" m={0} p={0} style={{ listStyle: 'none' }}>
        {models.map((model) => (
          <Row key={model.id} model={model} />
        ))}
      </Stack>
    )}
  </Section>
);
