'use client';
import { Alert, Button, Code, Group, Modal, Stack, Text } from '@mantine/core';
import { IconMail } from '@tabler/icons-react';
import { useState } from 'react';
import type { Role } from '@/lib/api/generated/graphql';
import { CopyButton } from '@/ui/copy-button';
import { invitationLink } from './invitation-link';
import { InviteForm, type Invited } from './invite-form';

interface Props {
  opened: boolean;
  onClose: () => void;
  roles: Role[];
  /** Whether the API sends the link by e-mail too. */
  mailed: boolean;
  onInvited: () => void;
}

export const InviteModal = ({ opened, onClose, roles, mailed, onInvited }: Props) => {
  const [invited, setInvited] = useState<Invited | null>(null);
  const close = (): void => {
    setInvited(null);
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title={invited ? 'Invitation made' : 'Invite somebody'}>
      {invited ? (
        <Link {...invited} mailed={mailed} onDone={close} />
      ) : (
        <InviteForm
          roles={roles}
          onInvited={(made) => {
            setInvited(made);
            onInvited();
          }}
          onCancel={close}
        />
      )}
    </Modal>
  );
};

const Link = ({ id, email, mailed, onDone }: Invited & { mailed: boolean; onDone: () => void }) => (
  <Stack>
    <Alert
      color={mailed ? 'leaf' : 'amber'}
      icon={<IconMail />}
      title={mailed ? `A mail is on its way to ${email}` : `Send ${email} this link`}
      style={{ overflowWrap: 'anywhere' }}
    >
      {mailed
        ? 'If it does not arrive, hand the link on yourself.'
        : 'No mail server is set up here, so nobody is told by e-mail.'}{' '}
      It works for that address only, once, for seven days.
    </Alert>
    <div>
      <Text size="sm" fw={500} mb={4}>
        Invitation link
      </Text>
      <Code block data-testid="invitation-link" style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
        {invitationLink(id)}
      </Code>
    </div>
    <Group justify="space-between">
      <CopyButton value={invitationLink(id)} what="link" withLabel />
      <Button variant="default" onClick={onDone}>
        Done
      </Button>
    </Group>
  </Stack>
);
