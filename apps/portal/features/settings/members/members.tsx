'use client';
import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconUserPlus } from '@tabler/icons-react';
import { useSession } from '@/features/session/session-context';
import { InvitationsDocument } from '@/lib/api/documents/invitations';
import { useApiQuery } from '@/lib/api/use-api-query';
import { Section } from '@/ui/section';
import { InvitationList } from './invitation-list';
import { InviteModal } from './invite-modal';
import { MemberTable } from './member-table';
import { rolesDecidedBy } from './roles';

/** Who is in the workspace, who is invited, and what the viewer may do about it. */
export const Members = () => {
  const { tenant, viewer } = useSession();
  const role = tenant.members.find(({ user }) => user.id === viewer.id)?.role ?? 'MEMBER';
  const decides = rolesDecidedBy(role).length > 0;
  const invitations = useApiQuery(InvitationsDocument, {}, { types: ['Invitation'], pause: !decides });
  const [inviting, invite] = useDisclosure(false);
  return (
    <>
      <Section
        title="Members"
        description="Admins manage keys and members; owners decide on roles."
        actions={
          decides && (
            <Button variant="default" size="xs" leftSection={<IconUserPlus size={14} />} onClick={invite.open}>
              Invite
            </Button>
          )
        }
      >
        <MemberTable members={tenant.members} viewerId={viewer.id} viewerRole={role} />
      </Section>
      {decides && <InvitationList {...invitations} />}
      <InviteModal
        opened={inviting}
        onClose={invite.close}
        roles={rolesDecidedBy(role)}
        mailed={invitations.data?.tenant.mailsInvitations ?? false}
        onInvited={invitations.reload}
      />
    </>
  );
};
