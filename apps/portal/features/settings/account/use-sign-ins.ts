'use client';
import { useCallback, useEffect, useState } from 'react';
import type { AuthFailure } from '@/features/session/auth-error';
import { authClient } from '@/lib/api/auth-client';

interface SessionRow {
  id: string;
  token: string;
  createdAt: Date;
  userAgent?: string | null | undefined;
  ipAddress?: string | null | undefined;
}

/** A session of the viewer's. */
export interface SignIn extends SessionRow {
  /** The one this page is seen in. */
  isCurrent: boolean;
}

/** This one first, then the newest. */
const inOrder = (one: SignIn, other: SignIn): number =>
  Number(other.isCurrent) - Number(one.isCurrent) || other.createdAt.getTime() - one.createdAt.getTime();

/** `signIns` is null until they are known. */
export const useSignIns = () => {
  const [rows, setRows] = useState<SessionRow[] | null>(null);
  const [failure, setFailure] = useState<AuthFailure | null>(null);
  const [asked, setAsked] = useState(0);
  const own = authClient.useSession().data?.session.id;
  useEffect(() => {
    let current = true;
    void authClient.listSessions().then(({ data, error }) => {
      if (!current) return;
      setFailure(error);
      if (data) setRows(data);
    });
    return () => {
      current = false;
    };
  }, [own, asked]);
  const reload = useCallback(() => setAsked((times) => times + 1), []);
  // After a new password this page's session is another one, which the list may not have yet.
  const known = rows?.some(({ id }) => id === own) ? rows : null;
  const signIns = known?.map((row): SignIn => ({ ...row, isCurrent: row.id === own })).sort(inOrder) ?? null;
  return { signIns, failure, reload };
};
