import type { Metadata } from 'next';
import { Suspense } from 'react';
import { AuthFrame } from '@/features/session/auth-frame';
import { SignUpForm } from '@/features/session/sign-up-form';

export const metadata: Metadata = { title: 'Create account' };

export default function SignUpPage() {
  return (
    <AuthFrame title="Create your account" subtitle="For you and your team, in a minute.">
      <Suspense>
        <SignUpForm />
      </Suspense>
    </AuthFrame>
  );
}
