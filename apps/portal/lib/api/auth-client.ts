'use client';
import { inferAdditionalFields } from 'better-auth/client/plugins';
import { createAuthClient } from 'better-auth/react';

/** Sign-up also names the company: the API makes the tenant in the same step, with this person as its owner. */
export const authClient = createAuthClient({
  basePath: '/api/auth',
  plugins: [inferAdditionalFields({ user: { tenantName: { type: 'string', required: true } } })],
});
