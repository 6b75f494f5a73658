import type { Metadata } from 'next';
import { NotFound } from '@/features/shell/not-found';

export const metadata: Metadata = { title: 'Page not found' };

export default function NotFoundPage() {
  return <NotFound />;
}
