import type { Metadata } from 'next';
import { DeploymentPage } from '@/features/deployments/deployment-page';

export const metadata: Metadata = { title: 'Deployment' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <DeploymentPage id={id} />;
}
