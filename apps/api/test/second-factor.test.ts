/** Second factors: an authenticator app (otplib is one) and backup codes, at Better Auth's doors. */
import { randomUUID } from 'node:crypto';
import { withClient } from '@aril/local-services';
import { authenticator } from 'otplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { turnOffSecondFactor } from '../src/core/identity/second-factor-off.js';
import { actionsAbout, resetTokenFor } from './account-fixtures.js';
import { cookieOf, type Credentials, graphql, ORIGIN, signUp, startApp, type TestApp, type TestUser } from './harness.js';
import type { AuthAnswer } from './member-fixtures.js';

/** Cookies as a browser keeps them: by name, gone when they are emptied. */
class Browser {
  private readonly jar = new Map<string, string>();

  constructor(private readonly url: string, cookies = '') {
    for (const pair of cookies.split('; ').filter(Boolean)) this.keep(pair);
  }

  get credentials(): Credentials {
    return { cookie: [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ') };
  }

  async post(path: string, body: object): Promise<AuthAnswer> {
    const response = await fetch(`${this.url}/api/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: ORIGIN, ...this.credentials },
      body: JSON.stringify(body),
    });
    for (const pair of cookieOf(response).split('; ').filter(Boolean)) this.keep(pair);
    return { status: response.status, body: (await response.json().catch(() => ({}))) as AuthAnswer['body'] };
  }

  private keep(pair: string): void {
    const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    if (value) this.jar.set(name, value);
    else this.jar.delete(name);
  }
}

interface Protected {
  user: TestUser;
  browser: Browser;
  secret: string;
  backupCodes: string[];
}

describe('second factors', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await startApp({ AUTH_ATTEMPTS_MAX: '1000' });
  });
  afterAll(() => test.stop());

  const isSignedIn = async (browser: Browser): Promise<boolean> => (await graphql(test, browser.credentials, '{ viewer { email } }')).errors === undefined;
  const password = (browser: Browser, { email, password }: TestUser): Promise<AuthAnswer> => browser.post('sign-in/email', { email, password });
  const query = async <T extends object>(text: string, values: unknown[] = []): Promise<T[]> =>
    withClient(test.ownerUrl, async (client) => (await client.query<T>(text, values)).rows);
  const actions = (email: string): Promise<string[]> => actionsAbout(test, email);
  const wrongCode = (secret: string): string => String((Number(authenticator.generate(secret)) + 1) % 1_000_000).padStart(6, '0');

  async function protect(): Promise<Protected> {
    const user = await signUp(test);
    const browser = new Browser(test.url, user.cookie['cookie']);
    const { body } = await browser.post('two-factor/enable', { password: user.password });
    const secret = new URL(body['totpURI'] as string).searchParams.get('secret')!;
    await browser.post('two-factor/verify-totp', { code: authenticator.generate(secret) });
    return { user, browser, secret, backupCodes: body['backupCodes'] as string[] };
  }

  it('are on once a first code was right, not before, and for whoever knows the password', async () => {
    const user = await signUp(test);
    const browser = new Browser(test.url, user.cookie['cookie']);
    expect((await browser.post('two-factor/enable', { password: 'not it at all' })).body.code).toBe('INVALID_PASSWORD');
    const { body } = await browser.post('two-factor/enable', { password: user.password });
    expect(body['totpURI']).toMatch(/^otpauth:\/\/totp\/Aril/);
    expect(body['backupCodes']).toHaveLength(10);
    const before = new Browser(test.url);
    await password(before, user);
    expect(await isSignedIn(before)).toBe(true);
    const secret = new URL(body['totpURI'] as string).searchParams.get('secret')!;
    expect((await browser.post('two-factor/verify-totp', { code: wrongCode(secret) })).status).toBe(401);
    expect((await browser.post('two-factor/verify-totp', { code: authenticator.generate(secret) })).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(true);
    const after = new Browser(test.url);
    await password(after, user);
    expect(await isSignedIn(after)).toBe(false);
  });

  it('let nobody in with the password alone, and the log tells who was in and who was not', async () => {
    const { user, secret } = await protect();
    const before = await actions(user.email);
    const browser = new Browser(test.url);
    const asked = await password(browser, user);
    expect(asked.body).toEqual({ twoFactorRedirect: true, twoFactorMethods: ['totp'] });
    expect(await isSignedIn(browser)).toBe(false);
    expect((await actions(user.email)).slice(before.length)).toEqual([]);
    expect((await browser.post('two-factor/verify-totp', { code: wrongCode(secret) })).body.code).toBe('INVALID_CODE');
    expect(await isSignedIn(browser)).toBe(false);
    expect((await browser.post('two-factor/verify-totp', { code: authenticator.generate(secret) })).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(true);
    expect((await actions(user.email)).slice(before.length)).toEqual(['user.signInFailed', 'user.signIn']);
  });

  it('a code without a password opens nothing, nor does one of somebody else’s challenge', async () => {
    const [one, two] = [await protect(), await protect()];
    const stranger = new Browser(test.url);
    expect((await stranger.post('two-factor/verify-totp', { code: authenticator.generate(one.secret) })).status).toBe(401);
    await password(stranger, two.user);
    expect((await stranger.post('two-factor/verify-totp', { code: authenticator.generate(one.secret) })).status).toBe(401);
    expect((await stranger.post('two-factor/verify-backup-code', { code: one.backupCodes[0] })).status).toBe(401);
    expect(await isSignedIn(stranger)).toBe(false);
  });

  it('end a challenge after five wrong codes, and lock after ten, backup codes among them', async () => {
    const { user, secret, backupCodes } = await protect();
    for (let challenge = 0; challenge < 2; challenge += 1) {
      const browser = new Browser(test.url);
      await password(browser, user);
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const path = attempt % 2 ? 'verify-backup-code' : 'verify-totp';
        expect((await browser.post(`two-factor/${path}`, { code: wrongCode(secret) })).status).toBe(401);
      }
      expect((await browser.post('two-factor/verify-totp', { code: authenticator.generate(secret) })).status).toBeGreaterThanOrEqual(400);
      expect(await isSignedIn(browser)).toBe(false);
    }
    const browser = new Browser(test.url);
    await password(browser, user);
    const right = { 'verify-totp': authenticator.generate(secret), 'verify-backup-code': backupCodes[0] };
    for (const [path, code] of Object.entries(right)) {
      expect((await browser.post(`two-factor/${path}`, { code })).body.code).toBe('ACCOUNT_TEMPORARILY_LOCKED');
    }
    await query("UPDATE two_factors SET locked_until = now() - interval '1 second'");
    expect((await browser.post('two-factor/verify-totp', { code: authenticator.generate(secret) })).status).toBe(200);
  });

  it('backup codes work once, and new ones take their place', async () => {
    const { user, browser, backupCodes } = await protect();
    const use = async (code: string | undefined): Promise<number> => {
      const elsewhere = new Browser(test.url);
      await password(elsewhere, user);
      return (await elsewhere.post('two-factor/verify-backup-code', { code })).status;
    };
    expect(await use(backupCodes[0])).toBe(200);
    expect(await use(backupCodes[0])).toBe(401);
    const renewed = await browser.post('two-factor/generate-backup-codes', { password: user.password });
    expect(await use(backupCodes[1])).toBe(401);
    expect(await use((renewed.body['backupCodes'] as string[])[1])).toBe(200);
    expect(await actions(user.email)).toEqual(expect.arrayContaining(['user.useBackupCode', 'user.renewBackupCodes']));
  });

  it('a device that is trusted signs in with the password alone, until the password was forgotten', async () => {
    const { user, secret } = await protect();
    const browser = new Browser(test.url);
    await password(browser, user);
    await browser.post('two-factor/verify-totp', { code: authenticator.generate(secret), trustDevice: true });
    const before = await actions(user.email);
    await browser.post('sign-out', {});
    expect((await password(browser, user)).body['twoFactorRedirect']).toBeUndefined();
    expect(await isSignedIn(browser)).toBe(true);
    expect((await actions(user.email)).slice(before.length)).toEqual(['user.signOut', 'user.signIn']);
    const token = await resetTokenFor(test, user.email);
    const newPassword = 'another long password';
    expect((await browser.post('reset-password', { token, newPassword })).status).toBe(200);
    expect((await password(browser, { ...user, password: newPassword })).body['twoFactorRedirect']).toBe(true);
    expect(await isSignedIn(browser)).toBe(false);
  });

  it('are turned off by who knows the password, or by the operator, who forgets devices too', async () => {
    const { user, browser } = await protect();
    expect((await browser.post('two-factor/disable', { password: 'not it at all' })).body.code).toBe('INVALID_PASSWORD');
    expect((await browser.post('two-factor/disable', { password: user.password })).status).toBe(200);
    const other = await protect();
    expect(await turnOffSecondFactor(test.app, other.user.email)).toBe(true);
    expect(await turnOffSecondFactor(test.app, other.user.email)).toBe(false);
    expect(await turnOffSecondFactor(test.app, `nobody-${randomUUID()}@example.test`)).toBeNull();
    for (const account of [user, other.user]) {
      const again = new Browser(test.url);
      await password(again, account);
      expect(await isSignedIn(again)).toBe(true);
      expect(await actions(account.email)).toEqual(expect.arrayContaining(['user.turnOnSecondFactor', 'user.turnOffSecondFactor']));
    }
  });

  it('the database holds neither secrets nor backup codes that open anything, and shows them to Better Auth alone', async () => {
    const { secret, backupCodes } = await protect();
    const held = JSON.stringify(await query('SELECT * FROM two_factors'));
    for (const code of [secret, ...backupCodes]) expect(held).not.toContain(code);
    const [reader] = await query<{ app: boolean; identity: boolean }>(
      "SELECT has_table_privilege('aril_app', 'two_factors', 'SELECT') AS app, has_table_privilege('aril_identity', 'two_factors', 'SELECT') AS identity",
    );
    expect(reader).toEqual({ app: false, identity: true });
  });

  it('no codes are mailed', async () => {
    const { user } = await protect();
    const browser = new Browser(test.url);
    await password(browser, user);
    expect((await browser.post('two-factor/send-otp', {})).status).toBe(404);
  });
});
