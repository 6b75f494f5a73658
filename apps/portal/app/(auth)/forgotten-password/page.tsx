import type { Metadata } from 'next';
import { AuthFrame } from '@/features/session/auth-frame';
import { ForgottenPasswordForm } from '@/features/session/forgotten-password-form';

export const metadata: Metadata = { title: 'Forgotten password' };

export default function ForgottenPasswordPage() {
  return (
    <AuthFrame title="Forgotten your password?" subtitle="You get a link to set a new one.">
      <ForgottenPasswordForm />
    </AuthFrame>
  );
}
