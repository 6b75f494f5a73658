'use client';
import { Avatar, Menu, Text, UnstyledButton } from '@mantine/core';
import { IconLogout, IconSettings } from '@tabler/icons-react';
import Link from 'next/link';
import { useSession } from '@/features/session/session-context';
import { useSignOut } from '@/features/session/use-sign-out';
import { WorkspaceMenu } from '@/features/workspaces/workspace-menu';

/** Of the first and the last name; what the button shows is also part of what it is called. */
const initialsOf = (name: string): string => {
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '')
    .join('');
};

export const UserMenu = () => {
  const { viewer } = useSession();
  const signOut = useSignOut();
  return (
    <Menu position="bottom-end" withinPortal width={230}>
      <Menu.Target>
        <UnstyledButton aria-label={`${initialsOf(viewer.name)}, account menu`} style={{ borderRadius: '50%' }}>
          <Avatar color="garnet" radius="xl" size={34}>
            {initialsOf(viewer.name)}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} c="var(--mantine-color-text)" truncate>
            {viewer.name}
          </Text>
          <Text size="xs" truncate>
            {viewer.email}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <WorkspaceMenu />
        <Menu.Divider />
        <Menu.Item component={Link} href="/settings" leftSection={<IconSettings size={16} />}>
          Settings
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
};
