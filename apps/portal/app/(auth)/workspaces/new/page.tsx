import type { Metadata } from 'next';
import { AuthFrame } from '@/features/session/auth-frame';
import { NewWorkspaceForm } from '@/features/workspaces/new-workspace-form';

export const metadata: Metadata = { title: 'New workspace' };

export default function NewWorkspacePage() {
  return (
    <AuthFrame title="Create a workspace" subtitle="It has its own adapters, keys, members and bill.">
      <NewWorkspaceForm />
    </AuthFrame>
  );
}
