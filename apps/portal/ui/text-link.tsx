'use client';
import { Anchor, type AnchorProps } from '@mantine/core';
import Link from 'next/link';
import type { ReactNode } from 'react';

/** Underlined at all times: beside other text, colour alone does not tell a link to everyone. */
export const TextLink = ({
  href,
  children,
  ...props
}: AnchorProps & { href: string; children: ReactNode }) => (
  <Anchor component={Link} href={href} underline="always" {...props}>
    {children}
  </Anchor>
);
