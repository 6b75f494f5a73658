/** What tests of people's own accounts ask in common. */
import { withClient } from '@aril/local-services';
import { makeResetMail } from '../src/core/identity/reset-link.js';
import type { TestApp } from './harness.js';

/** What the audit log has of somebody, in all tenants of theirs, the oldest first. */
export const actionsAbout = (test: TestApp, email: string): Promise<string[]> =>
  withClient(test.ownerUrl, async (client) => {
    const { rows } = await client.query<{ action: string }>('SELECT action FROM audit_events WHERE resource_label LIKE $1 ORDER BY created_at', [`%${email}%`]);
    return rows.map(({ action }) => action);
  });

/** Of a link to set a new password, as an operator makes it. */
export async function resetTokenFor(test: TestApp, email: string): Promise<string> {
  const mail = await makeResetMail(test.app, test.config, email);
  return /token=(\S+)/.exec(mail!.text)![1]!;
}
