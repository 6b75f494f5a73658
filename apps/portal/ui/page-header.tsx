import { Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  title: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
}

/** The one `h1` of a page, what the page is for, and what can be done there. */
export const PageHeader = ({ title, description, actions }: Props) => (
  <Group justify="space-between" align="flex-end" gap="md" mb="lg" wrap="wrap">
    <Stack gap={4} miw={0} maw="44rem">
      <Title order={1} style={{ overflowWrap: 'anywhere' }}>
        {title}
      </Title>
      {description && (
        <Text c="dimmed" size="sm" style={{ overflowWrap: 'anywhere' }}>
          {description}
        </Text>
      )}
    </Stack>
    {actions && <Group gap="xs">{actions}</Group>}
  </Group>
);
