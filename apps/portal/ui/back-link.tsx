'use client';
import { IconArrowLeft } from '@tabler/icons-react';
import { TextLink } from './text-link';

/** Above a page's title: to the list it was reached from. */
export const BackLink = ({ href, children }: { href: string; children: string }) => (
  <TextLink
    href={href}
    size="sm"
    c="dimmed"
    mb="sm"
    display="inline-flex"
    style={{ alignItems: 'center', gap: 4 }}
  >
    <IconArrowLeft size={15} aria-hidden /> {children}
  </TextLink>
);
