/**
 * Better Auth's configuration: e-mail and password, tenants as its organizations, rows through the identity role.
 * Mounted at /api/auth by `AuthController`.
 */
import { lineOfText, textWithoutNul } from '@aril/contracts';
import { Logger } from '@nestjs/common';
import { betterAuth, getCurrentAdapter, type BetterAuthOptions } from 'better-auth';
import { APIError, createAuthMiddleware } from 'better-auth/api';
import { setActor } from '../../base/auth/request-identity.js';
import type { Config } from '../../base/config/config.js';
import type { Outbox } from '../../integrations/mail/mailer.js';
import { auditedRows, type IdentityRows } from './audited-rows.js';
import { attemptsPlugin } from './attempts-plugin.js';
import { membershipRules } from './membership-rules.js';
import { passwordResetMail, RESET_LINK_LASTS_S } from './password-reset-mail.js';
import { asksForSecondFactor, CLOSED_PATHS as CLOSED_SECOND_FACTORS, forgetDevices, secondFactor, setSignInPending } from './second-factor.js';
import { TENANT_NAME } from './tenant-name.js';
import { ensureTenant } from './tenant-of-user.js';
import { CLOSED_PATHS, tenantsPlugin } from './tenants-plugin.js';

export const AUTH_PATH = '/api/auth';
/** Set by `AuthController` from the connection, never taken from the client. */
export const CLIENT_ADDRESS_HEADER = 'x-aril-client-address';

type RateLimitStorage = NonNullable<NonNullable<BetterAuthOptions['rateLimit']>['customStorage']>;

const DAY_S = 24 * 60 * 60;

/** Browsers refuse `Secure` cookies over plain http, except on loopback, where only some of them make an exception. */
const usesHttps = (config: Config): boolean =>
  [config.API_URL, ...config.PORTAL_URL].every((origin) => origin.startsWith('https:'));

function rateLimit(config: Config, storage: RateLimitStorage): BetterAuthOptions['rateLimit'] {
  const attempts = { window: 60, max: config.AUTH_ATTEMPTS_MAX };
  return {
    enabled: true,
    window: 60,
    max: 600,
    customStorage: storage,
    customRules: {
      '/sign-in/*': attempts,
      '/sign-up/*': attempts,
      '/change-password': attempts,
      '/reset-password': attempts,
      '/two-factor/*': attempts,
      // Each may send a mail to a stranger.
      '/organization/invite-member': attempts,
      '/request-password-reset': attempts,
    },
  };
}

/**
 * With a link by mail; where none is sent, Better Auth says RESET_PASSWORD_DISABLED. Whoever is signed in with the old
 * password is signed out, and asked for the second factor again.
 */
function passwordReset({ PORTAL_URL: [portalUrl] }: Config, { rows, mailer }: Pick<Parts, 'rows' | 'mailer'>) {
  return {
    resetPasswordTokenExpiresIn: RESET_LINK_LASTS_S,
    revokeSessionsOnPasswordReset: true,
    onPasswordReset: ({ user }: { user: { id: string } }) => forgetDevices(rows, user.id),
    ...(mailer.sends && {
      sendResetPassword: ({ user, token }: { user: { name: string; email: string }; token: string }) =>
        Promise.resolve(mailer.post(passwordResetMail(user, `${portalUrl ?? ''}/reset-password?token=${token}`))),
    }),
  };
}

const user = {
  additionalFields: {
    tenantName: { type: 'string', required: false, returned: false, validator: { input: TENANT_NAME } },
  },
} as const satisfies BetterAuthOptions['user'];

/** In characters. Better Auth has no bounds of its own; an index holds no long address, and the audit log copies names. */
const LENGTHS_MAX = new Map([['email', 320], ['name', 120], ['image', 2_048]]);

const refuseUnstorable = createAuthMiddleware((context) => {
  const refuse = (message: string): never => {
    throw new APIError('BAD_REQUEST', { code: 'BAD_INPUT', message });
  };
  for (const [field, value] of Object.entries((context.body ?? {}) as Record<string, unknown>)) {
    if (typeof value !== 'string') continue;
    const max = LENGTHS_MAX.get(field) ?? Infinity;
    if (value.length > max) refuse(`${field}: expected at most ${max} characters, found ${value.length}`);
    const problem = (field === 'name' ? lineOfText : textWithoutNul).safeParse(value).error?.issues[0];
    if (problem) refuse(`${field}: ${problem.message}`);
  }
  return Promise.resolve();
});

const logger = new Logger('BetterAuth');

function logLine(level: 'debug' | 'info' | 'warn' | 'error', message: string, ...details: unknown[]): void {
  const err = details.find((detail) => detail instanceof Error);
  if (level === 'error') logger.error({ err }, message);
  else logger.warn({ err }, message);
}

interface Parts {
  /** The identity tables, watched for outages. */
  rows: IdentityRows;
  storage: RateLimitStorage;
  mailer: Outbox;
}

// The return type is Better Auth's inference from the options; writing it down would repeat them.
export function createAuth(config: Config, { rows, storage, mailer }: Parts) {
  return betterAuth({
    appName: 'Aril',
    baseURL: config.API_URL,
    basePath: AUTH_PATH,
    secret: config.AUTH_SECRET,
    trustedOrigins: [config.API_URL, ...config.PORTAL_URL],
    // In one transaction sign-up writes the user, the password, the tenant, the membership and the session.
    database: auditedRows(rows),
    emailAndPassword: { enabled: true, minPasswordLength: 8, maxPasswordLength: 128, autoSignIn: true, ...passwordReset(config, { rows, mailer }) },
    // Links are worth an account: what the database holds of them opens nothing.
    verification: { storeIdentifier: 'hashed' },
    // An old session may see the others of its user. Their tokens open nothing without the cookie's signature.
    session: { expiresIn: 30 * DAY_S, updateAge: DAY_S, freshAge: 0 },
    user,
    plugins: [tenantsPlugin(config, mailer), membershipRules, secondFactor, attemptsPlugin(rows)],
    disabledPaths: [...CLOSED_PATHS, ...CLOSED_SECOND_FACTORS],
    // To `AuthController`, and so to the one filter of errors.
    onAPIError: { throw: true },
    rateLimit: rateLimit(config, storage),
    telemetry: { enabled: false },
    // Its informational lines name people's e-mail addresses.
    logger: { level: 'warn', disableColors: true, log: logLine },
    advanced: {
      cookiePrefix: 'aril',
      useSecureCookies: usesHttps(config),
      // Its default is to check origins except where it finds itself tested.
      disableOriginCheck: false,
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS_HEADER] },
      database: { generateId: 'uuid' },
    },
    hooks: { before: refuseUnstorable },
    databaseHooks: {
      session: {
        create: {
          // A session has a tenant from the start: the user's own, made here when there is none and none awaits them.
          before: async (session, context) => {
            if (!context) return;
            setActor({ userId: session.userId });
            setSignInPending(await asksForSecondFactor(context, session.userId));
            const rows = await getCurrentAdapter(context.context.adapter);
            // One that takes the place of another, as when the password is changed, goes on in the same tenant.
            const before = context.context.session;
            const kept = before?.user.id === session.userId ? before.session['activeOrganizationId'] : null;
            return { data: { ...session, activeOrganizationId: kept ?? (await ensureTenant(rows, session.userId)) } };
          },
        },
      },
    },
  });
}

export type Auth = ReturnType<typeof createAuth>;
/** Injection token. */
export const AUTH = Symbol('AUTH');
