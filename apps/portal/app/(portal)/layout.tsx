import { connection } from 'next/server';
import type { ReactNode } from 'react';
import { SessionGate } from '@/features/session/session-gate';
import { Shell } from '@/features/shell/shell';
import { PublicApiUrlProvider } from '@/lib/api/public-api-url';
import { readConfig } from '@/lib/config';

export default async function PortalLayout({ children }: { children: ReactNode }) {
  // Settings belong to the running server, not to the build.
  await connection();
  return (
    <PublicApiUrlProvider value={readConfig().publicApiUrl}>
      <SessionGate>
        <Shell>{children}</Shell>
      </SessionGate>
    </PublicApiUrlProvider>
  );
}
