import { Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconStack2 } from '@tabler/icons-react';
import { AdapterStatusBadge } from '@/features/adapters/adapter-status';
import { formatRank } from '@/features/adapters/adapter-facts';
import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';
import { formatRelative } from '@/lib/format/time';
import { ButtonLink } from '@/ui/button-link';
import { EmptyState } from '@/ui/empty-state';
import { Section } from '@/ui/section';
import { TextLink } from '@/ui/text-link';

/** Five rows. */
const LIST_PX = 260;

const Row = ({ adapter }: { adapter: AdapterListFieldsFragment }) => (
  <Group component="li" justify="space-between" wrap="nowrap">
    <div style={{ minWidth: 0 }}>
      <TextLink href={`/adapters/${adapter.id}`} fw={600} size="sm" truncate display="block">
        {adapter.slug}
      </TextLink>
      <Text size="xs" c="dimmed">
        {adapter.summary ? `rank ${formatRank(adapter.summary)} · ` : ''}
        {adapter.lastUsedAt
          ? `used ${formatRelative(adapter.lastUsedAt)}`
          : `added ${formatRelative(adapter.createdAt)}`}
      </Text>
    </div>
    <AdapterStatusBadge adapter={adapter} />
  </Group>
);

export const RecentAdapters = ({ adapters }: { adapters: AdapterListFieldsFragment[] | undefined }) => (
  <Section
    title="Newest adapters"
    actions={
      adapters &&
      adapters.length > 0 && (
        <TextLink href="/adapters" size="sm">
          All adapters
        </TextLink>
      )
    }
  >
    {!adapters && <Skeleton height={LIST_PX} />}
    {adapters?.length === 0 && (
      <EmptyState
        icon={<IconStack2 />}
        title="No adapters yet"
        action={<ButtonLink href="/adapters">Upload the first</ButtonLink>}
      />
    )}
    {adapters && adapters.length > 0 && (
      <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: 'none' }}>
        {adapters.map((adapter) => (
          <Row key={adapter.id} adapter={adapter} />
        ))}
      </Stack>
    )}
  </Section>
);
