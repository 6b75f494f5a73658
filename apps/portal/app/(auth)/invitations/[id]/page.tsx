import type { Metadata } from 'next';
import { InvitationPage } from '@/features/invitations/invitation-page';

/** An invitation's address lets in: it goes to no other site, and into no index. */
export const metadata: Metadata = { title: 'Invitation', referrer: 'no-referrer', robots: 'noindex' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <InvitationPage id={id} />;
}
