'use client';
import { Alert, Stack, Text } from '@mantine/core';
import { usePathname, useSearchParams } from 'next/navigation';
import { signInHref } from '@/features/session/next-path';
import type { ApiError } from '@/lib/api/api-error';
import { TextLink } from '@/ui/text-link';
import { failureInWords } from './failure';

/** Why an answer failed. A session that ended is no failure of the answer: the way back in is offered. */
export const ReplyError = ({ error }: { error: ApiError }) =>
  error.code === 'UNAUTHENTICATED' ? (
    <SessionEnded />
  ) : (
    <Alert color="red" mt="xs" role="alert" title="The answer failed">
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {failureInWords(error)}
      </Text>
    </Alert>
  );

const SessionEnded = () => {
  const pathname = usePathname();
  const search = useSearchParams().toString();
  return (
    <Alert color="amber" mt="xs" role="alert" title="Your session has ended">
      <Stack gap={4} align="flex-start">
        <Text size="sm">Your message is still in the box below. Copy it if it is long, then sign in.</Text>
        <TextLink size="sm" href={signInHref(search ? `${pathname}?${search}` : pathname)}>
          Sign in again
        </TextLink>
      </Stack>
    </Alert>
  );
};
