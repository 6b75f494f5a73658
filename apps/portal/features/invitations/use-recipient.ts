'use client';
import { useEffect, useState } from 'react';
import { authClient } from '@/lib/api/auth-client';

type Recipient =
  | { state: 'unknown' | 'signedOut' | 'invited' }
  | { state: 'somebodyElse'; email: string };

const NOT_THE_RECIPIENT = 'YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION';

/** Whether the invitation is for whoever is signed in here. The API decides: the page knows only a hint of the address. */
export const useRecipient = (invitationId: string): Recipient => {
  const { data: session, isPending } = authClient.useSession();
  const email = session?.user.email;
  const [refused, setRefused] = useState<boolean | null>(null);
  useEffect(() => {
    setRefused(null);
    if (!email) return;
    let current = true;
    void authClient.organization.getInvitation({ query: { id: invitationId } }).then(({ error }) => {
      if (current) setRefused(error?.code === NOT_THE_RECIPIENT);
    });
    return () => {
      current = false;
    };
  }, [email, invitationId]);
  if (isPending) return { state: 'unknown' };
  if (!email) return { state: 'signedOut' };
  if (refused === null) return { state: 'unknown' };
  return refused ? { state: 'somebodyElse', email } : { state: 'invited' };
};
