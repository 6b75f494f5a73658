import type { Metadata } from 'next';
import { Suspense } from 'react';
import { AuthFrame } from '@/features/session/auth-frame';
import { ResetPasswordForm } from '@/features/session/reset-password-form';

// The address has the link's secret in it.
export const metadata: Metadata = { title: 'New password', referrer: 'no-referrer' };

export default function ResetPasswordPage() {
  return (
    <AuthFrame title="Set a new password" subtitle="Everywhere you are signed in, you will be asked for it.">
      <Suspense>
        <ResetPasswordForm />
      </Suspense>
    </AuthFrame>
  );
}
