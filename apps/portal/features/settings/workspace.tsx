'use client';
import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useManages } from '@/features/session/use-manages';
import { useSession } from '@/features/session/session-context';
import { formatDate } from '@/lib/format/time';
import { CopyButton } from '@/ui/copy-button';
import { DefinitionList } from '@/ui/definition-list';
import { Section } from '@/ui/section';
import { RenameModal } from './rename-modal';

export const Workspace = () => {
  const { tenant } = useSession();
  const manages = useManages();
  const [renaming, rename] = useDisclosure(false);
  return (
    <Section
      title="Workspace"
      description={manages ? undefined : 'Owners and admins rename it.'}
      actions={
        manages && (
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
