'use client';
import { Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useSession } from '@/features/session/session-context';
import { DefinitionList } from '@/ui/definition-list';
import { Section } from '@/ui/section';
import { NameModal } from './name-modal';
import { PasswordModal } from './password-modal';

/** The person who is signed in. */
export const Account = () => {
  const { viewer } = useSession();
  const [naming, name] = useDisclosure(false);
  const [changing, password] = useDisclosure(false);
  return (
    <Section title="You">
      <DefinitionList
        items={[
          { term: 'Name', value: viewer.name },
          { term: 'E-mail', value: viewer.email },
        ]}
      />
      <Group mt="md" gap="xs">
        <Button variant="default" size="xs" onClick={name.open}>
          Change name
        </Button>
        <Button variant="default" size="xs" onClick={password.open}>
          Change password
        </Button>
      </Group>
      <NameModal opened={naming} onClose={name.close} />
      <PasswordModal opened={changing} onClose={password.close} />
    </Section>
  );
};
