/** What Better Auth's client reports of a refused or failed call. */
export interface AuthFailure {
  code?: string | undefined;
  message?: string | undefined;
  status: number;
}

const MESSAGES: Record<string, string> = {
  INVALID_EMAIL_OR_PASSWORD: 'E-mail or password is wrong.',
  USER_ALREADY_EXISTS: 'There is already an account with this e-mail. Sign in instead.',
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: 'There is already an account with this e-mail. Sign in instead.',
};

export const authErrorMessage = ({ code, message, status }: AuthFailure): string => {
  const known = code && MESSAGES[code];
  if (known) return known;
  if (status === 429) return 'Too many attempts. Wait a minute and try again.';
  if (status === 0 || status >= 502)
    return 'The Aril API cannot be reached. It may be starting; try again in a moment.';
  return message ?? 'That did not work. Try again.';
};
