import { Badge, Progress, Stack, Text } from '@mantine/core';
import type { BatchStatus } from '@/lib/api/generated/graphql';
import { formatCount } from '@/lib/format/quantity';
import type { Batch } from './batch-state';

const LOOKS: Record<BatchStatus, { label: string; color: string }> = {
  VALIDATING: { label: 'Validating', color: 'amber' },
  IN_PROGRESS: { label: 'In progress', color: 'amber' },
  FINALIZING: { label: 'Finalizing', color: 'amber' },
  COMPLETED: { label: 'Completed', color: 'leaf' },
  FAILED: { label: 'Failed', color: 'red' },
  EXPIRED: { label: 'Expired', color: 'red' },
  CANCELLING: { label: 'Cancelling', color: 'gray' },
  CANCELLED: { label: 'Cancelled', color: 'gray' },
};

export const BatchStatusBadge = ({ status }: Pick<Batch, 'status'>) => (
  <Badge component="span" color={LOOKS[status].color} variant="light" radius="sm" tt="none" style={{ flexShrink: 0 }}>
    {LOOKS[status].label}
  </Badge>
);

type Counts = Pick<Batch, 'status' | 'total' | 'completed' | 'failed'>;

const share = (count: number, total: number): number => (total === 0 ? 0 : (100 * count) / total);

/** How many requests have an answer, and how many failed. */
export const BatchProgress = ({ status, total, completed, failed }: Counts) => (
  <Stack gap={6} miw="7rem">
    <Progress.Root size="sm" aria-hidden>
      <Progress.Section value={share(completed, total)} color="leaf" />
      <Progress.Section value={share(failed, total)} color="red" />
    </Progress.Root>
    <Text size="xs" c="dimmed" className="tabular">
      {total === 0 ? (status === 'VALIDATING' ? 'Not counted yet' : 'None was run') : `${formatCount(completed + failed)} of ${formatCount(total)}`}
      {failed > 0 && ` · ${formatCount(failed)} failed`}
    </Text>
  </Stack>
);
