'use client';
import { Alert, Progress, Stack, Text } from '@mantine/core';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { formatBytes } from '@/lib/format/quantity';

type Importing = Pick<AdapterDetailFieldsFragment, 'slug' | 'bytes' | 'files' | 'source' | 'importWaitsFor'>;

/** How far an import is that is under way: nothing of it is known before the hub has told the sizes. */
export const ImportProgress = ({ adapter }: { adapter: Importing }) => {
  const received = adapter.files.reduce((sum, file) => sum + file.received, 0);
  const known = adapter.bytes > 0;
  return (
    <Stack gap="xs" role="status">
      <Text size="sm">
        Importing <b>{adapter.slug}</b> from {adapter.source?.repository}
        {known ? `: ${formatBytes(received)} of ${formatBytes(adapter.bytes)}` : ' …'}
      </Text>
      <Progress
        value={known ? Math.floor((100 * received) / adapter.bytes) : 0}
        size="lg"
        radius="xl"
        animated={adapter.importWaitsFor === null}
        aria-label="Progress of the import"
      />
      {adapter.importWaitsFor && (
        <Alert color="amber" title="It is tried again in a while">
          {adapter.importWaitsFor}
        </Alert>
      )}
    </Stack>
  );
};
