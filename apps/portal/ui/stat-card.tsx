import { Group, Paper, Skeleton, Text } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  label: string;
  value: ReactNode;
  hint?: ReactNode;
  icon?: ReactNode;
  loading?: boolean;
}

export const StatCard = ({ label, value, hint, icon, loading = false }: Props) => (
  <Paper p="md" role="group" aria-label={label}>
    <Group justify="space-between" wrap="nowrap" mb={6} c="dimmed">
      <Text size="sm">{label}</Text>
      {icon}
    </Group>
    <Skeleton visible={loading} width={loading ? '60%' : undefined}>
      <Text
        fz="clamp(1.125rem, 4.6vw, 1.625rem)"
        fw={650}
        lh={1.25}
        className="tabular"
        style={{ letterSpacing: '-0.02em', overflowWrap: 'anywhere' }}
      >
        {value}
      </Text>
    </Skeleton>
    {hint && (
      <Text size="xs" c="dimmed" mt={6} component="div">
        {hint}
      </Text>
    )}
  </Paper>
);
