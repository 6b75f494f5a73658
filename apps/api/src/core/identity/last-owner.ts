import { APIError } from 'better-auth/api';

const CONSTRAINT = 'memberships_keep_an_owner';

/** The refusal that stands for a violation of the constraint of that name; null for any other error. */
export function lastOwnerRefusal(error: unknown): APIError | null {
  if (!(error instanceof Error) || !error.message.includes(CONSTRAINT)) return null;
  return new APIError('BAD_REQUEST', {
    code: 'YOU_CANNOT_LEAVE_THE_ORGANIZATION_WITHOUT_AN_OWNER',
    message: 'The only owner cannot leave, be removed or step down: make somebody else an owner first.',
  });
}
