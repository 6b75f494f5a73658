'use client';
import { Box, Center, Container, Loader } from '@mantine/core';
import { usePathname, useRouter } from 'next/navigation';
import { useEffect, useMemo, type ReactNode } from 'react';
import { SessionDocument } from '@/lib/api/documents/session';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ErrorState } from '@/ui/error-state';
import { keepDraftsOf } from './drafts';
import { signInHref } from './next-path';
import { SessionProvider } from './session-context';
import { useSameWorkspace } from './use-same-workspace';

/**
 * Lets the portal's pages through once the API has said who is signed in. Without a session it leads to the
 * sign-in page and back, without a workspace to the form that makes one; without an API it says so and offers to try
 * again.
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

  const homeless = error?.reason === 'NO_TENANT';
  const viewerId = viewer?.id;
  useSameWorkspace(data?.tenant.id);

  useEffect(() => {
    if (homeless) router.replace('/workspaces/new');
    else if (signedOut) router.replace(signInHref(pathname + window.location.search));
  }, [homeless, signedOut, pathname, router]);

  useEffect(() => {
    if (viewerId) keepDraftsOf(window.sessionStorage, viewerId);
  }, [viewerId]);

  const session = useMemo(
    () => (data && viewer ? { viewer, tenant: data.tenant, reload } : null),
    [data, viewer, reload],
  );
  if (session && !signedOut && !homeless) return <SessionProvider value={session}>{children}</SessionProvider>;
  if (error && !signedOut && !homeless) {
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
