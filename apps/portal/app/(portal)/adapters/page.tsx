import type { Metadata } from 'next';
import { Suspense } from 'react';
import { AdaptersPage } from '@/features/adapters/adapters-page';

export const metadata: Metadata = { title: 'Adapters' };

export default function Page() {
  return (
    <Suspense>
      <AdaptersPage />
    </Suspense>
  );
}
