/** Codes of an authenticator app and backup codes, which signing in with a password asks for where somebody has turned them on. */
import type { GenericEndpointContext } from 'better-auth';
import { twoFactor } from 'better-auth/plugins';
import { ClsServiceManager } from 'nestjs-cls';
import type { IdentityRows } from './audited-rows.js';

/** Ten wrong codes in a row lock an account's second factor for a quarter of an hour; a challenge ends after five, or ten minutes. */
export const secondFactor = twoFactor({ allowPasswordless: true });

/** Codes by mail, which nothing here sends. */
export const CLOSED_PATHS = ['/two-factor/send-otp', '/two-factor/verify-otp'];

const PASSWORD_STEP = '/sign-in/email';
const PENDING = Symbol('the session that is made is taken back unless the device is trusted');

const cls = () => ClsServiceManager.getClsService();

/** Better Auth makes a session for the password alone and takes it back: nobody is signed in then, nor signed out. */
export const setSignInPending = (pending: boolean): void => {
  if (cls().isActive()) cls().set(PENDING, pending);
};
export const isSignInPending = (): boolean => cls().isActive() && cls().get<boolean | undefined>(PENDING) === true;

export async function asksForSecondFactor({ path, context }: GenericEndpointContext, userId: string): Promise<boolean> {
  if (path !== PASSWORD_STEP) return false;
  const user = await context.internalAdapter.findUserById(userId);
  return Boolean((user as { twoFactorEnabled?: boolean | null } | null)?.twoFactorEnabled);
}

/** Whose password was right, of a request that has a code for it. */
export async function challengedUser({ context, getSignedCookie }: Pick<GenericEndpointContext, 'context' | 'getSignedCookie'>): Promise<string | undefined> {
  const challenge = await getSignedCookie(context.createAuthCookie('two_factor').name, context.secret);
  const found = challenge ? await context.internalAdapter.findVerificationValue(challenge) : null;
  return found?.value;
}

/** Devices that somebody trusted are asked for a code again, and links and challenges that are under way end. */
export async function forgetDevices(rows: Pick<IdentityRows, 'verification'>, userId: string): Promise<void> {
  await rows.verification.deleteMany({ where: { value: userId } });
}
