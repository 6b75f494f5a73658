/**
 * Everything that the audit log can say was done. A name is the kind of thing it was done to and a verb; it stands in
 * customers' exports and filters, and so never changes its meaning. The words are for people.
 */
export const AUDIT_ACTIONS = {
  'tenant.create': 'Workspace created',
  'tenant.rename': 'Workspace renamed',
  'billingDetails.update': 'Billing details changed',
  'limits.update': 'Limits changed',
  'apiKey.create': 'API key created',
  'apiKey.rotate': 'API key rotated',
  'apiKey.updatePermissions': 'Permissions of API key changed',
  'apiKey.updateTargets': 'Targets of API key changed',
  'apiKey.revoke': 'API key revoked',
  'adapter.create': 'Adapter created',
  'adapter.finishUpload': 'Adapter upload finished',
  'adapter.finishImport': 'Adapter import finished',
  'adapter.update': 'Adapter changed',
  'adapter.delete': 'Adapter deleted',
  'adapter.discard': 'Unusable adapter discarded',
  'adapter.purge': "Deleted adapter's files removed",
  'deployment.create': 'Deployment created',
  'deployment.update': 'Deployment changed',
  'deployment.delete': 'Deployment deleted',
  'batchFile.create': 'Batch file uploaded',
  'batchFile.delete': 'Batch file deleted',
  'batch.create': 'Batch started',
  'batch.cancel': 'Batch cancelled',
  'invitation.create': 'Invitation sent',
  'invitation.renew': 'Invitation sent again',
  'invitation.accept': 'Invitation accepted',
  'invitation.decline': 'Invitation declined',
  'invitation.revoke': 'Invitation revoked',
  'member.updateRole': "Member's role changed",
  'member.remove': 'Member removed',
  'user.signIn': 'Signed in',
  'user.signInFailed': 'Sign-in failed',
  'user.signOut': 'Signed out',
  'user.changePassword': 'Password changed',
  'user.turnOnSecondFactor': 'Second factor turned on',
  'user.turnOffSecondFactor': 'Second factor turned off',
  'user.renewBackupCodes': 'New backup codes made',
  'user.useBackupCode': 'Backup code used',
  'user.update': 'Profile changed',
  'statement.issue': 'Statement issued',
  'auditLog.purge': 'Audit log shortened',
} as const;

export type AuditAction = keyof typeof AUDIT_ACTIONS;

export const isAuditAction = (name: string): name is AuditAction => Object.hasOwn(AUDIT_ACTIONS, name);

export const resourceTypeOf = (action: AuditAction): string => action.slice(0, action.indexOf('.'));

export const RESOURCE_TYPES = [...new Set(Object.keys(AUDIT_ACTIONS).map((name) => resourceTypeOf(name as AuditAction)))];
