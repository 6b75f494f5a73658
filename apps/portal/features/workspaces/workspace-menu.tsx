'use client';
import { Menu, ScrollArea, Text } from '@mantine/core';
import { IconCheck, IconPlus } from '@tabler/icons-react';
import Link from 'next/link';
import { useSession } from '@/features/session/session-context';
import { useWorkspaces } from './use-workspaces';

/** The part of the account menu that leads from one workspace to another. */
export const WorkspaceMenu = () => {
  const { tenant } = useSession();
  const { workspaces, enter } = useWorkspaces();
  // The list comes a moment later than the session, which knows the workspace it is in.
  const shown = workspaces.some(({ id }) => id === tenant.id) ? workspaces : [tenant];
  const choose = (chosen: string): void => {
    const workspace = shown.find(({ id }) => id === chosen);
    if (workspace && chosen !== tenant.id) void enter(workspace);
  };
  return (
    <>
      <Menu.Label id="workspaces">Workspaces</Menu.Label>
      <Menu.RadioGroup value={tenant.id} onChange={choose}>
        <ScrollArea.Autosize mah={220} type="auto" role="group" aria-labelledby="workspaces">
          {shown.map(({ id, name }) => (
            <Menu.RadioItem
              key={id}
              value={id}
              closeMenuOnClick
              checkIcon={<IconCheck size={14} />}
              // Around the item it would be cut off where the list scrolls.
              style={{ outlineOffset: -2 }}
            >
              <Text size="sm" lineClamp={2} style={{ overflowWrap: 'anywhere' }}>
                {name}
              </Text>
            </Menu.RadioItem>
          ))}
        </ScrollArea.Autosize>
      </Menu.RadioGroup>
      <Menu.Item component={Link} href="/workspaces/new" leftSection={<IconPlus size={16} />}>
        New workspace
      </Menu.Item>
    </>
  );
};
