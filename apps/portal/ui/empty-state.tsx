import { Stack, Text, ThemeIcon } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** What stands where there is nothing yet, with the next step. */
export const EmptyState = ({ icon, title, children, action }: Props) => (
  <Stack align="center" gap="xs" py="xl" px="md" ta="center">
    <ThemeIcon size={52} radius="xl" variant="light" aria-hidden>
      {icon}
    </ThemeIcon>
    <Text fw={600}>{title}</Text>
    {children && (
      <Text c="dimmed" size="sm" maw="30rem" component="div">
        {children}
      </Text>
    )}
    {action}
  </Stack>
);
