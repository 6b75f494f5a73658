'use client';
import { Menu, ScrollArea, Text } from '@mantine/core';
import { IconBuilding, IconCheck, IconPlus } from '@tabler/icons-react';
import Link from 'next/link';
import { useSession } from '@/features/session/session-context';
import { useWorkspaces } from './use-workspaces';

/** The part of the account menu that leads from one workspace to another. */
export const WorkspaceMenu = () => {
  const { tenant } = useSession();
  const { workspaces, enter } = useWorkspaces();
  // The list comes a moment later than the session, which knows the workspace it is in.
  const shown = workspaces.some(({ id }) => id === tenant.id) ? workspaces : [tenant];
  return (
    <>
      <Menu.Label>Workspaces</Menu.Label>
      <ScrollArea.Autosize mah={220} type="auto">
        {shown.map((workspace) => {
          const current = workspace.id === tenant.id;
          return (
            <Menu.Item
              key={workspace.id}
              role="menuitemradio"
              aria-checked={current}
              leftSection={<IconBuilding size={16} />}
              rightSection={current ? <IconCheck size={14} aria-hidden /> : null}
              onClick={() => !current && void enter(workspace)}
            >
              <Text size="sm" lineClamp={2} style={{ overflowWrap: 'anywhere' }}>
                {workspace.name}
              </Text>
            </Menu.Item>
          );
        })}
      </ScrollArea.Autosize>
      <Menu.Item component={Link} href="/workspaces/new" leftSection={<IconPlus size={16} />}>
        New workspace
      </Menu.Item>
    </>
  );
};
