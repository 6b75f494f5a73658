/** What people do about their own account: a forgotten password, a new one, where they are signed in. */
import { randomUUID } from 'node:crypto';
import { withClient } from '@aril/local-services';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeResetMail } from '../src/core/identity/reset-link.js';
import { actionsAbout, resetTokenFor } from './account-fixtures.js';
import { cookieOf, type Credentials, data, graphql, ORIGIN, signUp, startApp, type TestApp, type TestUser } from './harness.js';
import { mailServer } from './mail-server.js';
import { auth, type AuthAnswer } from './member-fixtures.js';

const NEW_PASSWORD = 'another long password';
const VIEWER = '{ viewer { email } tenant { id } }';

interface Listed {
  id: string;
  token: string;
  userAgent: string;
  ipAddress: string;
}

describe('account', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await startApp();
  });
  afterAll(() => test.stop());

  const signIn = (email: string, password: string): Promise<AuthAnswer> => auth(test, 'sign-in/email', { email, password });
  const again = async ({ email, password }: TestUser): Promise<Credentials> => {
    const response = await fetch(`${test.url}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: ORIGIN, 'user-agent': 'Second/2.0' },
      body: JSON.stringify({ email, password }),
    });
    return { cookie: cookieOf(response) };
  };
  const isSignedIn = async (credentials: Credentials): Promise<boolean> => (await graphql(test, credentials, VIEWER)).errors === undefined;
  const sessions = async (credentials: Credentials): Promise<Listed[]> =>
    (await (await fetch(`${test.url}/api/auth/list-sessions`, { headers: { ...credentials, origin: ORIGIN } })).json()) as Listed[];
  const reset = (token: string, newPassword = NEW_PASSWORD): Promise<AuthAnswer> => auth(test, 'reset-password', { token, newPassword });

  describe('a forgotten password', () => {
    it('is replaced through a link that an operator makes, which signs everybody out and works once', async () => {
      const user = await signUp(test);
      const token = await resetTokenFor(test, user.email);
      expect((await reset(token, 'short')).body.code).toBe('PASSWORD_TOO_SHORT');
      expect((await reset(token)).status).toBe(200);
      expect(await isSignedIn(user.cookie)).toBe(false);
      expect((await signIn(user.email, user.password)).status).toBe(401);
      expect((await signIn(user.email, NEW_PASSWORD)).status).toBe(200);
      expect((await reset(token, 'yet another password')).body.code).toBe('INVALID_TOKEN');
      expect(await actionsAbout(test, user.email)).toEqual(expect.arrayContaining(['user.changePassword', 'user.signOut']));
    });

    it('has no link for whom nobody knows', async () => {
      expect(await makeResetMail(test.app, test.config, `nobody-${randomUUID()}@example.test`)).toBeNull();
    });

    it('is kept once the link is too old, and the database does not hold the link', async () => {
      const user = await signUp(test);
      const token = await resetTokenFor(test, user.email);
      const held = await withClient(test.ownerUrl, (client) => client.query<{ identifier: string }>('SELECT identifier FROM verifications'));
      expect(held.rows.length).toBeGreaterThan(0);
      for (const { identifier } of held.rows) expect(identifier).not.toContain(token);
      await withClient(test.ownerUrl, (client) => client.query("UPDATE verifications SET expires_at = now() - interval '1 second'"));
      expect((await reset(token)).body.code).toBe('INVALID_TOKEN');
      expect((await reset('made-up')).body.code).toBe('INVALID_TOKEN');
      expect((await signIn(user.email, user.password)).status).toBe(200);
    });

    it('says that nothing is mailed where there is no mail server, to all alike, and logs no error', async () => {
      const user = await signUp(test);
      const logged = vi.spyOn(Logger.prototype, 'error');
      const asked = await auth(test, 'request-password-reset', { email: user.email });
      expect([asked.status, asked.body.code]).toEqual([400, 'RESET_PASSWORD_DISABLED']);
      expect(await auth(test, 'request-password-reset', { email: `nobody-${randomUUID()}@example.test` })).toEqual(asked);
      expect(logged).not.toHaveBeenCalled();
    });

    it('is mailed a link to the portal, and answers alike for whom nobody knows', async () => {
      const server = await mailServer();
      const mailing = await test.peer({ SMTP_URL: server.url, MAIL_FROM: 'Aril <aril@example.test>' });
      try {
        const user = await signUp(test);
        const known = await auth(mailing, 'request-password-reset', { email: user.email });
        const unknown = await auth(mailing, 'request-password-reset', { email: `nobody-${randomUUID()}@example.test` });
        expect(known).toEqual(unknown);
        expect(known.status).toBe(200);
        const link = /http:\/\/127\.0\.0\.1:3000\/reset-password\?token=3D([\w-]+)|http:\/\/127\.0\.0\.1:3000\/reset-password\?token=([\w-]+)/;
        await expect.poll(() => server.received()).toMatch(link);
        expect(server.received()).toContain(`RCPT TO:<${user.email}>`);
        expect(server.received()).not.toContain('RCPT TO:<nobody-');
        const [, quoted, plain] = link.exec(server.received())!;
        expect((await reset((quoted ?? plain)!)).status).toBe(200);
        expect((await signIn(user.email, NEW_PASSWORD)).status).toBe(200);
      } finally {
        await mailing.stop();
        await server.stop();
      }
    });
  });

  it('changes a password for whoever knows it, signs the others out, and stays in the tenant', async () => {
    const user = await signUp(test, 'First');
    const other = await again(user);
    const created = await auth(test, 'organization/create', { name: 'Second', slug: 'any' }, user.cookie);
    const wrong = await auth(test, 'change-password', { currentPassword: 'not it at all', newPassword: NEW_PASSWORD, revokeOtherSessions: true }, user.cookie);
    expect(wrong.body.code).toBe('INVALID_PASSWORD');
    const response = await fetch(`${test.url}/api/auth/change-password`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: ORIGIN, ...user.cookie },
      body: JSON.stringify({ currentPassword: user.password, newPassword: NEW_PASSWORD, revokeOtherSessions: true }),
    });
    expect(response.status).toBe(200);
    for (const old of [user.cookie, other]) expect(await isSignedIn(old)).toBe(false);
    const { tenant } = await data(graphql<{ tenant: { id: string } }>(test, { cookie: cookieOf(response) }, VIEWER));
    expect(tenant.id).toBe(created.body.id);
  });

  it('lists where somebody is signed in, also to a session of long ago, and ends one of them', async () => {
    const user = await signUp(test);
    const other = await again(user);
    await withClient(test.ownerUrl, (client) => client.query("UPDATE sessions SET created_at = now() - interval '20 days'"));
    const listed = await sessions(user.cookie);
    expect(listed).toHaveLength(2);
    const second = listed.find(({ userAgent }) => userAgent === 'Second/2.0')!;
    expect((await auth(test, 'revoke-session', { token: second.token }, user.cookie)).status).toBe(200);
    expect(await isSignedIn(other)).toBe(false);
    expect(await isSignedIn(user.cookie)).toBe(true);
  });

  it('shows and ends nobody else’s sessions, and a token alone opens nothing', async () => {
    const [one, two] = [await signUp(test), await signUp(test)];
    const [own] = await sessions(two.cookie);
    expect((await sessions(one.cookie)).map(({ token }) => token)).not.toContain(own!.token);
    await auth(test, 'revoke-session', { token: own!.token }, one.cookie);
    expect(await isSignedIn(two.cookie)).toBe(true);
    const name = two.cookie['cookie']!.split('=', 1)[0]!;
    expect(await isSignedIn({ cookie: `${name}=${own!.token}` })).toBe(false);
    expect(await isSignedIn({ authorization: `Bearer ${own!.token}` })).toBe(false);
  });
});
