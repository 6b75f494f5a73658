import { Group, Progress, Text } from '@mantine/core';
import type { SessionQuery } from '@/lib/api/generated/graphql';
import { formatBytes } from '@/lib/format/quantity';
import { Section } from '@/ui/section';

export const Storage = ({ storage }: { storage: SessionQuery['tenant']['storage'] }) => {
  const percent = storage.bytesMax === 0 ? 100 : (100 * storage.bytesUsed) / storage.bytesMax;
  return (
    <Section title="Storage">
      <Group justify="space-between" mb={6}>
        <Text size="sm">{formatBytes(storage.bytesUsed)} used</Text>
        <Text size="sm" c="dimmed">
          of {formatBytes(storage.bytesMax)}
        </Text>
      </Group>
      <Progress.Root size="lg" radius="xl">
        <Progress.Section
          value={percent}
          color={percent > 90 ? 'red' : undefined}
          aria-label="Storage used"
        />
      </Progress.Root>
    </Section>
  );
};
