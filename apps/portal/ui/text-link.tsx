'use client';
import { Anchor, type AnchorProps } from '@mantine/core';
import Link from 'next/link';
import type { ReactNode } from 'react';

export const TextLink = ({
  href,
  children,
  ...props
}: AnchorProps & { href: string; children: ReactNode }) => (
  <Anchor component={Link} href={href} {...props}>
    {children}
  </Anchor>
);
