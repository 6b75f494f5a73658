'use client';
import { Avatar, Badge, Group, Text } from '@mantine/core';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import type { SessionQuery } from '@/lib/api/generated/graphql';
import { Section } from '@/ui/section';

type Member = SessionQuery['tenant']['members'][number];

const ROLES: Record<Member['role'], string> = { OWNER: 'Owner', ADMIN: 'Admin', MEMBER: 'Member' };

export const Members = ({ members, viewerId }: { members: Member[]; viewerId: string }) => {
  const columns: DataTableColumn<Member>[] = [
    {
      accessor: 'user.name',
      title: 'Member',
      render: ({ user }) => (
        <Group gap="sm" wrap="nowrap">
          <Avatar name={user.name} size={30} color="garnet" />
          <div>
            <Text size="sm" fw={500}>
              {user.name}
              {user.id === viewerId && (
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
      ),
    },
    {
      accessor: 'role',
      title: 'Role',
      textAlign: 'right',
      render: ({ role }) => (
        <Badge variant="light" radius="sm" tt="none">
          {ROLES[role]}
        </Badge>
      ),
    },
  ];
  return (
    <Section
      title="Members"
      description="Owners and admins manage keys; everyone may use and upload adapters."
    >
      <DataTable<Member>
        records={members}
        columns={columns}
        backgroundColor="transparent"
        verticalSpacing="sm"
        horizontalSpacing={0}
      />
    </Section>
  );
};
