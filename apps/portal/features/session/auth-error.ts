/** What Better Auth's client reports of a refused or failed call. */
export interface AuthFailure {
  code?: string | undefined;
  message?: string | undefined;
  status: number;
}

const ONLY_OWNER = 'A workspace needs an owner. Make somebody else an owner first.';

const MESSAGES: Record<string, string> = {
  INVALID_EMAIL_OR_PASSWORD: 'E-mail or password is wrong.',
  INVALID_PASSWORD: 'That is not your present password.',
  INVALID_TOKEN: 'This link does not work any more. Ask for another one.',
  RESET_PASSWORD_DISABLED: 'This server sends no mail. Whoever runs it can give you a link to set a new password.',
  INVALID_CODE: 'That code is not right. Is your device’s clock?',
  INVALID_BACKUP_CODE: 'That is none of your backup codes, or you have used it.',
  INVALID_TWO_FACTOR_COOKIE: 'That took too long. Sign in again.',
  TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE: 'Too many wrong codes. Sign in again.',
  ACCOUNT_TEMPORARILY_LOCKED: 'Too many wrong codes. Try again in a quarter of an hour.',
  USER_ALREADY_EXISTS: 'There is already an account with this e-mail. Sign in instead.',
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: 'There is already an account with this e-mail. Sign in instead.',
  USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION: 'Somebody with this e-mail is already a member.',
  YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER: ONLY_OWNER,
  YOU_CANNOT_LEAVE_THE_ORGANIZATION_WITHOUT_AN_OWNER: ONLY_OWNER,
  MEMBER_NOT_FOUND: 'That person is not a member any more.',
  INVITATION_NOT_FOUND: 'This invitation is not open any more.',
  INVITATION_LIMIT_REACHED: 'There are too many open invitations. Revoke some first.',
  ORGANIZATION_MEMBERSHIP_LIMIT_REACHED: 'This workspace has as many members as it can hold.',
  YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_ORGANIZATIONS: 'You are in as many workspaces as one person can be.',
};

export const authErrorMessage = ({ code, message, status }: AuthFailure): string => {
  const known = code && MESSAGES[code];
  if (known) return known;
  if (status === 429) return 'Too many attempts. Wait a minute and try again.';
  if (status === 0 || status >= 502)
    return 'The Aril API cannot be reached. It may be starting; try again in a moment.';
  return message ?? 'That did not work. Try again.';
};
