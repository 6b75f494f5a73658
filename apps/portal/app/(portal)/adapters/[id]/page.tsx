import type { Metadata } from 'next';
import { AdapterPage } from '@/features/adapters/adapter-page';

export const metadata: Metadata = { title: 'Adapter' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <AdapterPage id={id} />;
}
