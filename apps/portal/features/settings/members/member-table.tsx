'use client';
import { ActionIcon, Avatar, Badge, Button, Group, Select, Text, VisuallyHidden } from '@mantine/core';
import { IconLogout, IconUserMinus } from '@tabler/icons-react';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import type { Role } from '@/lib/api/generated/graphql';
import { ROLES, rolesDecidedBy } from './roles';
import { type Member, useMemberActions } from './use-member-actions';

interface Props {
  members: Member[];
  viewerId: string;
  viewerRole: Role;
}

const Person = ({ user, isViewer }: { user: Member['user']; isViewer: boolean }) => (
  <Group gap="sm" wrap="nowrap">
    <Avatar name={user.name} size={30} color="garnet" visibleFrom="xs" />
    <div style={{ overflowWrap: 'anywhere', paddingInlineEnd: 'var(--mantine-spacing-xs)' }}>
      <Text size="sm" fw={500}>
        {user.name}
        {isViewer && (
          <Text span c="dimmed" size="sm">
            {' '}
            (you)
          </Text>
        )}
      </Text>
      <Text size="xs" c="dimmed">
        {user.email}
      </Text>
    </div>
  </Group>
);

export const MemberTable = ({ members, viewerId, viewerRole }: Props) => {
  const { changeRole, remove, leave } = useMemberActions();
  const decided = rolesDecidedBy(viewerRole);
  const owners = members.filter(({ role }) => role === 'OWNER').length;
  /** A workspace needs an owner: nothing can be done about the only one. */
  const isFixed = ({ role }: Member): boolean => role === 'OWNER' && owners === 1;
  const columns: DataTableColumn<Member>[] = [
    {
      accessor: 'user.name',
      title: 'Member',
      render: ({ user }) => <Person user={user} isViewer={user.id === viewerId} />,
    },
    {
      accessor: 'role',
      title: 'Role',
      width: 116,
      render: (member) =>
        viewerRole === 'OWNER' && !isFixed(member) ? (
          <Select
            size="xs"
            aria-label={`Role of ${member.user.name}`}
            data={decided.map((value) => ({ value, label: ROLES[value] }))}
            value={member.role}
            allowDeselect={false}
            onChange={(role) => role && changeRole(member, role as Role, member.user.id === viewerId)}
          />
        ) : (
          <Badge variant="light" radius="sm" tt="none">
            {ROLES[member.role]}
          </Badge>
        ),
    },
    {
      accessor: 'actions',
      title: <VisuallyHidden>Actions</VisuallyHidden>,
      textAlign: 'right',
      render: (member) => {
        if (isFixed(member)) return null;
        if (member.user.id === viewerId) return <Action label="Leave" onClick={leave} />;
        if (!decided.includes(member.role)) return null;
        return <Action label="Remove" of={member.user.name} onClick={() => remove(member)} />;
      },
    },
  ];
  return (
    <DataTable<Member>
      records={members}
      columns={columns}
      backgroundColor="transparent"
      verticalSpacing="sm"
      horizontalSpacing={0}
    />
  );
};

/** A word where there is room for it, its picture on a phone. */
const Action = ({ label, of, onClick }: { label: 'Leave' | 'Remove'; of?: string; onClick: () => void }) => {
  const name = of ? `${label} ${of}` : `${label} the workspace`;
  const Picture = label === 'Leave' ? IconLogout : IconUserMinus;
  const shared = { variant: 'subtle', color: 'red', onClick, 'aria-label': name };
  return (
    <>
      <Button size="compact-sm" visibleFrom="sm" {...shared}>
        {label}
      </Button>
      <ActionIcon hiddenFrom="sm" {...shared}>
        <Picture size={16} />
      </ActionIcon>
    </>
  );
};
