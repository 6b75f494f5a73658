import { createAuthMiddleware, isAPIError } from 'better-auth/api';
import { type IdentityRows, recordAttempt } from './audited-rows.js';
import { inTenantsOf } from './identity-changes.js';

const PATH = '/sign-in/email';

/** A wrong password for somebody who is known, in the audit log of each tenant of theirs. Who is not known has none. */
export const auditFailedSignIns = (rows: IdentityRows) =>
  createAuthMiddleware(async ({ path, body, context }) => {
    const email = (body as { email?: unknown } | undefined)?.email;
    if (path !== PATH || !isAPIError(context.returned) || typeof email !== 'string') return;
    const found = await context.internalAdapter.findUserByEmail(email);
    if (!found) return;
    await recordAttempt(rows, context.options, (plain) => inTenantsOf(plain, found.user.id, 'user.signInFailed', {}));
  });
