'use client';
import { AppShell, Burger, Group, NavLink, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import type { ReactNode } from 'react';
import { BudgetBanner } from '@/features/limits/budget-banner';
import { useSession } from '@/features/session/session-context';
import { useManages } from '@/features/session/use-manages';
import { LogoMark } from '@/ui/logo';
import { ColorSchemeMenu } from './color-scheme-menu';
import { DESTINATIONS, isCurrent } from './navigation';
import { UserMenu } from './user-menu';
import classes from './shell.module.css';

/** The frame around every page behind the sign-in: header, navigation, the page itself. */
export const Shell = ({ children }: { children: ReactNode }) => {
  const pathname = usePathname();
  const { tenant } = useSession();
  const manages = useManages();
  const [menuOpen, menu] = useDisclosure(false);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 232, breakpoint: 'sm', collapsed: { mobile: !menuOpen } }}
      padding={{ base: 'md', sm: 'xl' }}
      classNames={{ header: classes.header, navbar: classes.navbar }}
    >
      <a href="#main" className="skip-link">
        Skip to content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Burger
              opened={menuOpen}
              onClick={menu.toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label="Navigation menu"
            />
            <Link href="/" className={classes.brand} aria-label="Aril, overview">
              <LogoMark size={28} />
              <Text component="span" fw={700} fz={19} style={{ letterSpacing: '-0.03em' }}>
                Aril
              </Text>
            </Link>
            <span className={classes.slash} aria-hidden>
              /
            </span>
            <Text size="sm" fw={500} truncate data-testid="tenant-name">
              {tenant.name}
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <ColorSchemeMenu />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label="Main">
        <Stack gap={2}>
          {DESTINATIONS.filter(({ managed }) => manages || !managed).map(({ href, label, icon: Icon }) => {
            const current = isCurrent(href, pathname);
            return (
              <NavLink
                key={href}
                component={Link}
                href={href}
                label={label}
                leftSection={<Icon size={18} stroke={1.75} />}
                active={current}
                aria-current={current ? 'page' : undefined}
                onClick={menu.close}
                classNames={{ root: classes.link }}
              />
            );
          })}
        </Stack>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <div className={classes.page}>
          <BudgetBanner />
          {children}
        </div>
      </AppShell.Main>
    </AppShell>
  );
};
