import {
  IconArrowsSplit2,
  IconChartBar,
  IconHistory,
  IconHome,
  IconKey,
  IconMessages,
  IconReceipt,
  IconSettings,
  IconStack2,
  IconStackPush,
  type Icon,
} from '@tabler/icons-react';

export interface Destination {
  href: string;
  label: string;
  icon: Icon;
  /** For owners and admins only. */
  managed?: boolean;
}

export const DESTINATIONS: Destination[] = [
  { href: '/', label: 'Overview', icon: IconHome },
  { href: '/adapters', label: 'Adapters', icon: IconStack2 },
  { href: '/deployments', label: 'Deployments', icon: IconArrowsSplit2 },
  { href: '/playground', label: 'Playground', icon: IconMessages },
  { href: '/batches', label: 'Batches', icon: IconStackPush },
  { href: '/api-keys', label: 'API keys', icon: IconKey },
  { href: '/usage', label: 'Usage', icon: IconChartBar },
  { href: '/billing', label: 'Billing', icon: IconReceipt },
  { href: '/audit-log', label: 'Audit log', icon: IconHistory, managed: true },
  { href: '/settings', label: 'Settings', icon: IconSettings },
];

export const isCurrent = (href: string, pathname: string): boolean =>
  href === '/' ? pathname === '/' : pathname === href || pathname.startsWith(`${href}/`);
