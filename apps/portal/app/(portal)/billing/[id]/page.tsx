import type { Metadata } from 'next';
import { StatementPage } from '@/features/billing/statement-page';

export const metadata: Metadata = { title: 'Statement' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <StatementPage id={id} />;
}
