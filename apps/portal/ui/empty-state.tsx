import { Stack, Text, ThemeIcon, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  icon: ReactNode;
  title: string;
  /** The heading's level, where this is what the page is about. */
  order?: 1 | 2;
  children?: ReactNode;
  action?: ReactNode;
}

/** What stands where there is nothing yet, with the next step. */
export const EmptyState = ({ icon, title, order, children, action }: Props) => (
  <Stack align="center" gap="xs" py="xl" px="md" ta="center">
    <ThemeIcon size={52} radius="xl" variant="light" aria-hidden>
      {icon}
    </ThemeIcon>
    {order ? (
      <Title order={order} size="h3">
        {title}
      </Title>
    ) : (
      // Said, as tables give what stands in them a paler colour than can be read.
      <Text fw={600} c="var(--mantine-color-text)">
        {title}
      </Text>
    )}
    {children && (
      <Text c="dimmed" size="sm" maw="30rem" component="div">
        {children}
      </Text>
    )}
    {action}
  </Stack>
);
