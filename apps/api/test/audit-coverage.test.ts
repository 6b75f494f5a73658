/** No way to change a workspace that the audit log does not know: a new one is added to one list here or the other. */
import { GraphQLSchemaHost } from '@nestjs/graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS, isAuditAction } from '../src/core/audit/audit-actions.js';
import { AUTH, type Auth } from '../src/core/identity/auth.js';
import { startApp, type TestApp } from './harness.js';

type Coverage = Record<string, string[]>;

/** Mutation → what it records. */
const MUTATIONS: Coverage = {
  createAdapter: ['adapter.create', 'adapter.discard'],
  importAdapter: ['adapter.create', 'adapter.discard'],
  finishAdapterUpload: ['adapter.finishUpload'],
  updateAdapter: ['adapter.update'],
  deleteAdapter: ['adapter.delete'],
  createApiKey: ['apiKey.create'],
  rotateApiKey: ['apiKey.rotate'],
  updateApiKeyPermissions: ['apiKey.updatePermissions'],
  updateApiKeyTargets: ['apiKey.updateTargets'],
  revokeApiKey: ['apiKey.revoke'],
  updateApiKeyLimits: ['limits.update'],
  updateTenantLimits: ['limits.update'],
  createDeployment: ['deployment.create'],
  updateDeployment: ['deployment.update'],
  deleteDeployment: ['deployment.delete'],
  updateBillingDetails: ['billingDetails.update'],
  createBatch: ['batch.create'],
  cancelBatch: ['batch.cancel'],
};
/** They use a workspace; the ledger and `usage` say so. */
const USE = ['generate', 'startGeneration', 'cancelGeneration'];

/** Better Auth's endpoint → what it records. */
const ENDPOINTS: Coverage = {
  '/sign-up/email': ['tenant.create', 'user.signIn'],
  '/sign-in/email': ['user.signIn', 'user.signInFailed'],
  '/sign-out': ['user.signOut'],
  '/revoke-session': ['user.signOut'],
  '/revoke-sessions': ['user.signOut'],
  '/revoke-other-sessions': ['user.signOut'],
  '/change-password': ['user.changePassword'],
  '/reset-password': ['user.changePassword'],
  '/update-user': ['user.update'],
  '/two-factor/verify-totp': ['user.turnOnSecondFactor', 'user.signIn', 'user.signInFailed'],
  '/two-factor/verify-backup-code': ['user.useBackupCode', 'user.signIn', 'user.signInFailed'],
  '/two-factor/disable': ['user.turnOffSecondFactor'],
  '/two-factor/generate-backup-codes': ['user.renewBackupCodes'],
  '/organization/create': ['tenant.create'],
  '/organization/update': ['tenant.rename'],
  '/organization/invite-member': ['invitation.create', 'invitation.renew', 'invitation.revoke'],
  '/organization/cancel-invitation': ['invitation.revoke'],
  '/organization/accept-invitation': ['invitation.accept'],
  '/organization/reject-invitation': ['invitation.decline'],
  '/organization/update-member-role': ['member.updateRole'],
  '/organization/remove-member': ['member.remove'],
  '/organization/leave': ['member.remove'],
};
/** They change nothing of a workspace, or are switched off in `auth.ts`, which has neither other providers nor deletion. */
const HARMLESS = [
  ...['/organization/set-active', '/organization/delete', '/organization/has-permission', '/update-session', '/verify-password'],
  ...['/sign-in/social', '/link-social', '/unlink-account', '/refresh-token', '/get-access-token', '/callback/:id'],
  ...['/two-factor/enable', '/two-factor/get-totp-uri', '/two-factor/send-otp', '/two-factor/verify-otp'],
  ...['/request-password-reset', '/send-verification-email', '/change-email', '/delete-user', '/get-session', '/organization/check-slug'],
];

/** What jobs record, which nobody calls. */
const JOBS = ['adapter.finishImport', 'adapter.purge', 'statement.issue', 'auditLog.purge'];

/** REST route → what it records. */
const RECORDING: Coverage = {
  '/v1/files': ['batchFile.create'],
  '/v1/files/:id': ['batchFile.delete'],
  '/v1/batches': ['batch.create'],
  '/v1/batches/:id/cancel': ['batch.cancel'],
  '/batch-files': ['batchFile.create'],
};
/** Those that are not GET → why they leave no row of their own. */
const ROUTES: Record<string, string> = {
  '/graphql': 'mutations, above',
  '/graphql/stream': 'mutations, above',
  '/api/auth/*path': 'endpoints, above',
  '/uploads': "bytes of an adapter that `createAdapter` recorded and `finishAdapterUpload` will",
  '/uploads/*path': 'as /uploads',
  '/v1/chat/completions': 'use',
  '/v1/completions': 'use',
  '/v1/responses': 'use',
  '/v1/messages': 'use',
  '/v1/messages/count_tokens': 'use',
  '/v1': 'unknown paths',
  '/v1/{*path}': 'unknown paths',
};

describe('the audit log', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await startApp();
  });
  afterAll(() => test.stop());

  it('knows every mutation', () => {
    const fields = test.app.get(GraphQLSchemaHost).schema.getMutationType()?.getFields() ?? {};
    expect(Object.keys(fields).sort()).toEqual([...Object.keys(MUTATIONS), ...USE].sort());
  });

  it('knows every endpoint of Better Auth that is called by POST', () => {
    const { api } = test.app.get<Auth>(AUTH, { strict: false });
    const posts = Object.values(api as Record<string, { path?: string; options?: { method?: string | string[]; metadata?: { SERVER_ONLY?: boolean } } }>)
      .filter(({ path, options }) => path && !options?.metadata?.SERVER_ONLY && [options?.method].flat().includes('POST'))
      .map(({ path }) => path as string);
    const known = new Set([...Object.keys(ENDPOINTS), ...HARMLESS]);
    expect(posts.filter((path) => !known.has(path))).toEqual([]);
    expect([...known].filter((path) => !posts.includes(path))).toEqual([]);
  });

  it('knows every route that is more than a GET', () => {
    type Layer = { route?: { path: string; methods: Record<string, boolean> } };
    const { router } = test.app.getHttpAdapter().getInstance() as unknown as { router: { stack: Layer[] } };
    const routes = router.stack.flatMap(({ route }) => (route && Object.keys(route.methods).some((method) => !['get', 'head'].includes(method)) ? [route.path] : []));
    expect(routes.length).toBeGreaterThan(0);
    expect([...new Set(routes)].filter((path) => !(path in ROUTES) && !(path in RECORDING))).toEqual([]);
  });

  it('has no action that nothing records, and nothing records one that it does not have', () => {
    const recorded = new Set([...Object.values(MUTATIONS), ...Object.values(ENDPOINTS), ...Object.values(RECORDING), JOBS].flat());
    expect([...recorded].filter((action) => !isAuditAction(action))).toEqual([]);
    expect(Object.keys(AUDIT_ACTIONS).filter((action) => !recorded.has(action))).toEqual([]);
  });
});
