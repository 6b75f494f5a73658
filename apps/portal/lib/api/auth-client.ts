'use client';
import { inferAdditionalFields, organizationClient, twoFactorClient } from 'better-auth/client/plugins';
import { createAuthClient } from 'better-auth/react';

/**
 * Sign-up also names the company: the API makes the tenant in the same step, with this person as its owner. Who was
 * invited names none. Tenants are Better Auth's organizations.
 */
export const authClient = createAuthClient({
  basePath: '/api/auth',
  plugins: [
    inferAdditionalFields({ user: { tenantName: { type: 'string', required: false } } }),
    organizationClient(),
    twoFactorClient(),
  ],
});

/** The session works in the new tenant from then on. The API chooses the slug; Better Auth's client insists on some. */
export const createTenant = (name: string) => authClient.organization.create({ name, slug: 'any' });
