'use client';
import { createContext, useContext } from 'react';
import type { SessionQuery } from '@/lib/api/generated/graphql';

export interface Session {
  viewer: NonNullable<SessionQuery['viewer']>;
  tenant: SessionQuery['tenant'];
  reload: () => void;
}

const SessionContext = createContext<Session | null>(null);
export const SessionProvider = SessionContext;

/** Who is signed in, and for which tenant. Only inside the session gate, which shows nothing before it knows. */
export const useSession = (): Session => {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession is called outside the session gate');
  return session;
};
