import { Group, Paper, Text, Title, type PaperProps } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props extends PaperProps {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A titled card of a page. */
export const Section = ({ title, description, actions, children, ...paper }: Props) => (
  <Paper p={{ base: 'md', sm: 'lg' }} component="section" aria-label={title} {...paper}>
    <Group justify="space-between" align="flex-start" mb="md" gap="sm">
      {/* Beside a long description, actions stay on its first line where there is room for both. */}
      <div style={{ flex: '1 1 12rem' }}>
        <Title order={2} size="h3">
          {title}
        </Title>
        {description && (
          <Text size="sm" c="dimmed" mt={2}>
            {description}
          </Text>
        )}
      </div>
      {actions}
    </Group>
    {children}
  </Paper>
);
