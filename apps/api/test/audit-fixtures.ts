/** The audit log as its tests read it. */
import { type Credentials, data, graphql, type TestApp } from './harness.js';

export interface AuditEvent {
  id: string;
  createdAt: string;
  actor: { type: string; id: string | null; name: string; handle: string | null };
  action: string;
  resource: { type: string; id: string; label: string; exists: boolean };
  changes: { field: string; before: unknown; after: unknown }[];
  requestId: string | null;
  ipAddress: string | null;
  userAgent: string | null;
}

export interface AuditPage {
  nodes: AuditEvent[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export const AUDIT_QUERY = `query ($first: Int, $after: String, $filter: AuditFilter) { tenant { auditEvents(first: $first, after: $after, filter: $filter) {
  nodes { id createdAt actor { type id name handle } action resource { type id label exists } changes { field before after } requestId ipAddress userAgent }
  totalCount pageInfo { hasNextPage endCursor } } } }`;

/** Newest first. */
export async function auditPage(test: TestApp, credentials: Credentials, variables: object = {}): Promise<AuditPage> {
  const answer = await data(graphql<{ tenant: { auditEvents: AuditPage } }>(test, credentials, AUDIT_QUERY, { ...variables }));
  return answer.tenant.auditEvents;
}

export const auditEvents = async (test: TestApp, credentials: Credentials, filter: object = {}): Promise<AuditEvent[]> =>
  (await auditPage(test, credentials, { first: 100, filter })).nodes;

/** The newest one of an action; a test that reads it has made one. */
export async function newest(test: TestApp, credentials: Credentials, action: string): Promise<AuditEvent> {
  const [event] = await auditEvents(test, credentials, { action });
  if (!event) throw new Error(`no ${action} in the audit log`);
  return event;
}
