'use client';
import { ActionIcon, Button, Group, Menu } from '@mantine/core';
import { IconDots, IconGauge, IconLock, IconRefresh, IconTarget } from '@tabler/icons-react';

export type KeyDialog = 'rotate' | 'permissions' | 'targets' | 'limits';

interface Props {
  name: string;
  onOpen: (dialog: KeyDialog) => void;
  onRevoke: () => void;
}

export const KeyActions = ({ name, onOpen, onRevoke }: Props) => (
  <Group gap={4} justify="flex-end" wrap="nowrap">
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" aria-label={`Change ${name}`} title="Change">
          <IconDots size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => onOpen('rotate')}>
          Rotate
        </Menu.Item>
        <Menu.Item leftSection={<IconLock size={16} aria-hidden />} onClick={() => onOpen('permissions')}>
          Permissions
        </Menu.Item>
        <Menu.Item leftSection={<IconTarget size={16} aria-hidden />} onClick={() => onOpen('targets')}>
          Targets
        </Menu.Item>
        <Menu.Item leftSection={<IconGauge size={16} aria-hidden />} onClick={() => onOpen('limits')}>
          Limits
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
    <Button size="compact-sm" variant="subtle" color="red" onClick={onRevoke} aria-label={`Revoke ${name}`}>
      Revoke
    </Button>
  </Group>
);
