/**
 * Better Auth's configuration: e-mail and password, tenants as its organizations, rows through the identity role.
 * Mounted at /api/auth by `AuthController`.
 */
import { textWithoutNul } from '@aril/contracts';
import { Logger } from '@nestjs/common';
import { betterAuth, getCurrentAdapter, type BetterAuthOptions } from 'better-auth';
import { prismaAdapter } from 'better-auth/adapters/prisma';
import { APIError, createAuthMiddleware } from 'better-auth/api';
import { organization } from 'better-auth/plugins/organization';
import type { Config } from '../../base/config/config.js';
import type { IdentityPrisma } from '../../base/prisma/prisma.service.js';
import { ensureTenant } from './tenant-of-user.js';

export const AUTH_PATH = '/api/auth';
/** Set by `AuthController` from the connection, never taken from the client. */
export const CLIENT_ADDRESS_HEADER = 'x-aril-client-address';

type RateLimitStorage = NonNullable<NonNullable<BetterAuthOptions['rateLimit']>['customStorage']>;

const DAY_S = 24 * 60 * 60;
const TENANT_NAME = textWithoutNul.trim().min(1).max(80);

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
    customRules: { '/sign-in/*': attempts, '/sign-up/*': attempts, '/change-password': attempts },
  };
}

/** A tenant's rows outlive it for the ledger's sake, so it cannot be deleted through this door. */
const tenants = organization({
  organizationLimit: 10,
  disableOrganizationDeletion: true,
  schema: {
    organization: { modelName: 'tenant' },
    member: { modelName: 'membership', fields: { organizationId: 'tenantId' } },
    invitation: { modelName: 'invitation', fields: { organizationId: 'tenantId' } },
    session: { fields: { activeOrganizationId: 'activeTenantId' } },
  },
});

const user = {
  additionalFields: {
    tenantName: { type: 'string', required: false, returned: false, validator: { input: TENANT_NAME } },
  },
} as const satisfies BetterAuthOptions['user'];

const refuseUnstorable = createAuthMiddleware((context) => {
  for (const [field, value] of Object.entries((context.body ?? {}) as Record<string, unknown>)) {
    if (typeof value !== 'string' || textWithoutNul.safeParse(value).success) continue;
    throw new APIError('BAD_REQUEST', { code: 'BAD_INPUT', message: `${field}: expected no NUL character` });
  }
  return Promise.resolve();
});

const logger = new Logger('BetterAuth');

function logLine(level: 'debug' | 'info' | 'warn' | 'error', message: string, ...details: unknown[]): void {
  const err = details.find((detail) => detail instanceof Error);
  if (level === 'error') logger.error({ err }, message);
  else logger.warn({ err }, message);
}

// The return type is Better Auth's inference from the options; writing it down would repeat them.
export function createAuth(config: Config, prisma: IdentityPrisma, storage: RateLimitStorage) {
  return betterAuth({
    appName: 'Aril',
    baseURL: config.API_URL,
    basePath: AUTH_PATH,
    secret: config.AUTH_SECRET,
    trustedOrigins: [config.API_URL, ...config.PORTAL_URL],
    // In one transaction sign-up writes the user, the password, the tenant, the membership and the session.
    database: prismaAdapter(prisma, { provider: 'postgresql', transaction: true }),
    emailAndPassword: { enabled: true, minPasswordLength: 8, maxPasswordLength: 128, autoSignIn: true },
    session: { expiresIn: 30 * DAY_S, updateAge: DAY_S },
    user,
    plugins: [tenants],
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
          // A session always has a tenant: the user's own, made here when there is none yet.
          before: async (session, context) => {
            if (!context) return;
            const rows = await getCurrentAdapter(context.context.adapter);
            return { data: { ...session, activeOrganizationId: await ensureTenant(rows, session.userId) } };
          },
        },
      },
    },
  });
}

export type Auth = ReturnType<typeof createAuth>;
/** Injection token. */
export const AUTH = Symbol('AUTH');
