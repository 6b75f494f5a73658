'use client';
import { Center } from '@mantine/core';
import { ErrorState } from '@/ui/error-state';

/** The last resort, when drawing a page failed. The digest finds the cause in the server's log. */
export const Crash = ({ digest, onRetry }: { digest?: string | undefined; onRetry: () => void }) => (
  <Center mih="60vh" p="md">
    <ErrorState
      title="Something went wrong on this page"
      message={`Nothing was lost on the server.${digest ? ` Reference: ${digest}` : ''}`}
      onRetry={onRetry}
    />
  </Center>
);
