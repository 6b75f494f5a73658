'use client';
import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useSession } from '@/features/session/session-context';
import { formatDate } from '@/lib/format/time';
import { CopyButton } from '@/ui/copy-button';
import { DefinitionList } from '@/ui/definition-list';
import { Section } from '@/ui/section';
import { RenameModal } from './rename-modal';

export const Workspace = () => {
  const { tenant, viewer } = useSession();
  const [renaming, rename] = useDisclosure(false);
  const role = tenant.members.find(({ user }) => user.id === viewer.id)?.role;
  return (
    <Section
      title="Workspace"
      actions={
        role !== 'MEMBER' && (
          <Button variant="default" size="xs" onClick={rename.open}>
            Rename
          </Button>
        )
      }
    >
      <DefinitionList
        items={[
          { term: 'Name', value: tenant.name },
          { term: 'Slug', value: tenant.slug },
          { term: 'Created', value: formatDate(tenant.createdAt) },
          {
            term: 'Id',
            value: (
              <>
                {tenant.id} <CopyButton value={tenant.id} what="workspace id" />
              </>
            ),
          },
        ]}
      />
      <RenameModal opened={renaming} onClose={rename.close} />
    </Section>
  );
};
