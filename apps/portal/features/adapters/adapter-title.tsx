import { Group, Text } from '@mantine/core';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { CopyButton } from '@/ui/copy-button';
import { AdapterStatusBadge } from './adapter-status';

export const AdapterTitle = ({ adapter }: { adapter: AdapterDetailFieldsFragment }) => (
  <Group gap="sm" component="span">
    <Text component="span" inherit>
      {adapter.slug}
    </Text>
    <AdapterStatusBadge adapter={adapter} />
    <CopyButton value={adapter.slug} what="slug" />
  </Group>
);
