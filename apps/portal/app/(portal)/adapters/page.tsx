import type { Metadata } from 'next';
import { AdaptersPage } from '@/features/adapters/adapters-page';

export const metadata: Metadata = { title: 'Adapters' };

export default function Page() {
  return <AdaptersPage />;
}
