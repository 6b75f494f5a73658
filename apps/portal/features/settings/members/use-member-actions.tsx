'use client';
import { notifications } from '@mantine/notifications';
import { authErrorMessage, type AuthFailure } from '@/features/session/auth-error';
import { useSession } from '@/features/session/session-context';
import { authClient } from '@/lib/api/auth-client';
import type { Role, SessionQuery } from '@/lib/api/generated/graphql';
import { askFirst } from '@/ui/confirm';
import { ROLES, roleName } from './roles';

export type Member = SessionQuery['tenant']['members'][number];

interface Change {
  call: () => Promise<{ error: AuthFailure | null }>;
  done: string;
  failed: string;
  then: () => void;
}

const run = async ({ call, done, failed, then }: Change): Promise<void> => {
  const { error } = await call();
  notifications.show(
    error
      ? { color: 'red', title: failed, message: authErrorMessage(error) }
      : { color: 'leaf', title: 'Members', message: done },
  );
  then();
};

const ask = (title: string, question: string, confirm: string, change: Change) =>
  askFirst({ title, question, confirm, onConfirm: () => void run(change) });

/** What can be done about members. The list is asked for anew after each, also after a refusal: it may have been stale. */
export const useMemberActions = () => {
  const { tenant, reload } = useSession();
  const organizationId = tenant.id;

  const changeRole = (member: Member, role: Role, isViewer: boolean): void => {
    if (role === member.role) return;
    const { name } = member.user;
    const change: Change = {
      call: () =>
        authClient.organization.updateMemberRole({ memberId: member.id, role: roleName(role), organizationId }),
      done: `${name} is now ${ROLES[role].toLowerCase()}.`,
      failed: `${name} stays ${ROLES[member.role].toLowerCase()}`,
      then: reload,
    };
    if (!isViewer) return void run(change);
    const question = `As ${ROLES[role].toLowerCase()} you cannot make yourself owner again. Another owner can.`;
    ask('Give up ownership', question, `Become ${ROLES[role].toLowerCase()}`, change);
  };

  const remove = ({ id, user: { name } }: Member) =>
    ask(
      'Remove member',
      `Remove ${name}? They lose access to ${tenant.name} at once. What they uploaded and the keys they made stay.`,
      'Remove',
      {
        call: () => authClient.organization.removeMember({ memberIdOrEmail: id, organizationId }),
        done: `${name} was removed.`,
        failed: `${name} was not removed`,
        then: reload,
      },
    );

  const leave = () =>
    ask(
      'Leave workspace',
      `Leave ${tenant.name}? You lose access at once, and need an invitation to come back. What you uploaded and the keys you made stay.`,
      'Leave',
      {
        call: () => authClient.organization.leave({ organizationId }),
        done: `You left ${tenant.name}.`,
        failed: `You are still in ${tenant.name}`,
        then: () => window.location.assign('/'),
      },
    );

  return { changeRole, remove, leave };
};
