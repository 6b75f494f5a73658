/** The page where an invitation is accepted, at the address this portal is used through. */
export const invitationLink = (id: string): string => `${window.location.origin}/invitations/${id}`;
