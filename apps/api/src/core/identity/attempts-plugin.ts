import type { BetterAuthPlugin, DBTransactionAdapter } from 'better-auth';
import { createAuthMiddleware, isAPIError } from 'better-auth/api';
import type { AuditAction } from '../audit/audit-actions.js';
import { type IdentityRows, recordAttempt } from './audited-rows.js';
import { type IdentityEvent, identityEvents, inTenantsOf } from './identity-changes.js';
import { challengedUser, forgetDevices, isSignInPending, setSignInPending } from './second-factor.js';

type Context = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0];
type Events = (rows: DBTransactionAdapter) => Promise<IdentityEvent[]>;

const events =
  (action: AuditAction, userId: string | undefined): Events =>
  (rows) =>
    userId === undefined ? Promise.resolve([]) : inTenantsOf(rows, userId, action, {});

async function afterPassword({ body, context }: Context): Promise<Events | null> {
  if (isAPIError(context.returned)) {
    const email = (body as { email?: unknown } | undefined)?.email;
    const found = typeof email === 'string' ? await context.internalAdapter.findUserByEmail(email) : null;
    return events('user.signInFailed', found?.user.id);
  }
  const signedIn = context.newSession;
  if (!signedIn || !isSignInPending()) return null;
  // A device that is trusted keeps the session.
  setSignInPending(false);
  return (rows) => identityEvents(rows, 'session', null, signedIn.session);
}

const failedCode = async (context: Context): Promise<Events | null> =>
  isAPIError(context.context.returned) ? events('user.signInFailed', await challengedUser(context)) : null;

/** Endpoint → what it leaves behind once it has run. */
const AFTER = {
  '/sign-in/email': afterPassword,
  '/two-factor/verify-totp': failedCode,
  '/two-factor/verify-backup-code': async (context: Context) =>
    (await failedCode(context)) ?? events('user.useBackupCode', (context.context.newSession ?? context.context.session)?.user.id),
  '/two-factor/generate-backup-codes': ({ context }: Context) =>
    Promise.resolve(isAPIError(context.returned) ? null : events('user.renewBackupCodes', context.session?.user.id)),
} satisfies Record<string, (context: Context) => Promise<Events | null>>;

const isWatched = (path: string | undefined): path is keyof typeof AFTER => path !== undefined && Object.hasOwn(AFTER, path);

/**
 * What was tried and changes no row that the audit log is about: wrong passwords and codes of people who are known, in
 * the log of each tenant of theirs, and what becomes of backup codes. Behind the plugin of second factors, which takes
 * sessions back.
 */
export const attemptsPlugin = (rows: IdentityRows): BetterAuthPlugin => ({
  id: 'aril-attempts',
  hooks: {
    after: [
      {
        matcher: ({ path }) => isWatched(path),
        handler: createAuthMiddleware(async (context) => {
          const found = isWatched(context.path) ? await AFTER[context.path](context) : null;
          if (found) await recordAttempt(rows, context.context.options, found);
        }),
      },
      {
        matcher: ({ path }) => path === '/two-factor/disable',
        handler: createAuthMiddleware(async ({ context }) => {
          if (!isAPIError(context.returned) && context.session) await forgetDevices(rows, context.session.user.id);
        }),
      },
    ],
  },
});
