'use client';
import { Box, Center, Container, Loader } from '@mantine/core';
import { usePathname, useRouter } from 'next/navigation';
import { useEffect, useMemo, type ReactNode } from 'react';
import { SessionDocument } from '@/lib/api/documents/session';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ErrorState } from '@/ui/error-state';
import { signInHref } from './next-path';
import { SessionProvider } from './session-context';

/**
 * Lets the portal's pages through once the API has said who is signed in. Without a session it leads to the
 * sign-in page and back; without an API it says so and offers to try again.
 */
export const SessionGate = ({ children }: { children: ReactNode }) => {
  const { data, error, reload } = useApiQuery(
    SessionDocument,
    {},
    { types: ['Tenant', 'Member', 'Adapter'] },
  );
  const router = useRouter();
  const pathname = usePathname();
  const viewer = data?.viewer;
  const signedOut = error?.code === 'UNAUTHENTICATED' || (data !== undefined && !viewer);

  useEffect(() => {
    if (!signedOut) return;
    router.replace(signInHref(pathname + window.location.search));
  }, [signedOut, pathname, router]);

  const session = useMemo(
    () => (data && viewer ? { viewer, tenant: data.tenant, reload } : null),
    [data, viewer, reload],
  );
  if (session && !signedOut) return <SessionProvider value={session}>{children}</SessionProvider>;
  if (error && !signedOut) {
    return (
      <Container size="sm" pt="20vh" component="main">
        <ErrorState title="The portal cannot reach its service" message={error.message} onRetry={reload} />
      </Container>
    );
  }
  return (
    <Center mih="100vh">
      <Box role="status" aria-label="Loading your workspace">
        <Loader type="dots" />
      </Box>
    </Center>
  );
};
