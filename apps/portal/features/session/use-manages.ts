'use client';
import { useSession } from './session-context';

/** Whether the viewer is an owner or an admin. The API decides; this only keeps buttons away that it would refuse. */
export const useManages = (): boolean => {
  const { tenant, viewer } = useSession();
  const role = tenant.members.find(({ user }) => user.id === viewer.id)?.role;
  return role === 'OWNER' || role === 'ADMIN';
};
