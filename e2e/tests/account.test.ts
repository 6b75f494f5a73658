/** What people do about their own account, in the portal and with the operator's command. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { authenticator } from 'otplib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launch, openPage, screenshot } from '../support/browser.js';
import { stack } from '../support/stack.js';

const API = fileURLToPath(new URL('../../apps/api', import.meta.url));
const PASSWORDS = ['a long enough password', 'another long password', 'a third long password'] as const;

const operator = async (command: string, email: string): Promise<string> =>
  (await promisify(execFile)(process.execPath, [join('dist', `${command}.js`), email], { cwd: API, env: stack.apiEnvironment })).stdout;
const resetLink = async (email: string): Promise<string> => /http\S+/.exec(await operator('reset-link', email))![0];

// Without a browser there is nothing to test with; `npm test` says how to get one.
describe.skipIf(!hasBrowser)('account', () => {
  let browser: Browser;
  let here: Page;
  let elsewhere: Page;
  const email = `ada-${randomUUID()}@example.test`;
  let secret: string;
  let backupCode: string;

  beforeAll(async () => {
    browser = await launch();
    here = (await openPage(browser)).page;
    elsewhere = (await openPage(browser)).page;
  });
  afterAll(async () => {
    await browser?.close();
  });

  const tryPassword = async (page: Page, password: string): Promise<void> => {
    const form = page.getByRole('form', { name: 'Sign in' });
    await form.getByLabel('E-mail').fill(email);
    await form.getByLabel('Password', { exact: true }).first().fill(password);
    await form.getByRole('button', { name: 'Sign in' }).click();
  };
  const signIn = async (page: Page, password: string): Promise<void> => {
    await page.goto('/sign-in');
    await tryPassword(page, password);
    await page.getByRole('navigation', { name: 'Main' }).waitFor();
  };
  const places = (page: Page) => page.getByRole('list', { name: 'Where you are signed in' }).getByRole('listitem');

  it('changes the name that others see', async () => {
    await here.goto('/sign-up');
    const form = here.getByRole('form', { name: 'Create account' });
    await form.getByLabel('Your name').fill('Ada');
    await form.getByLabel('Company or team').fill('Engines');
    await form.getByLabel('E-mail').fill(email);
    await form.getByLabel('Password').first().fill(PASSWORDS[0]);
    await form.getByRole('button', { name: 'Create account' }).click();
    await here.getByRole('navigation', { name: 'Main' }).waitFor();
    await here.goto('/settings');
    await here.getByRole('button', { name: 'Change name' }).click();
    const rename = here.getByRole('form', { name: 'Change your name' });
    await rename.getByLabel('Name').fill('  Ada Lovelace ');
    await rename.getByRole('button', { name: 'Save' }).click();
    await here.getByRole('region', { name: 'You', exact: true }).getByText('Ada Lovelace', { exact: true }).waitFor();
    await here.getByRole('row').filter({ hasText: email }).getByText('Ada Lovelace').waitFor();
  });

  it('shows where the account is signed in, and signs out there', async () => {
    await signIn(elsewhere, PASSWORDS[0]);
    await here.reload();
    await expect.poll(() => places(here).count(), { timeout: 20_000 }).toBe(2);
    expect(await places(here).first().innerText()).toMatch(/Chrom.* on Linux[\s\S]*Here/);
    await screenshot(here, '60-account');
    await places(here).nth(1).getByRole('button', { name: /^Sign out / }).click();
    await expect.poll(() => places(here).count(), { timeout: 20_000 }).toBe(1);
    await elsewhere.goto('/settings');
    await elsewhere.getByRole('form', { name: 'Sign in' }).waitFor();
  });

  it('changes the password for whoever knows it, and signs out everywhere else', async () => {
    await signIn(elsewhere, PASSWORDS[0]);
    await here.bringToFront();
    await here.getByRole('button', { name: 'Change password' }).click();
    const form = here.getByRole('form', { name: 'Change your password' });
    await form.getByLabel('Present password').first().fill('not the password');
    await form.getByLabel('New password').first().fill(PASSWORDS[1]);
    await form.getByRole('button', { name: 'Change password' }).click();
    await form.getByText('That is not your present password.').waitFor();
    await screenshot(here, '61-change-password');
    await form.getByLabel('Present password').first().fill(PASSWORDS[0]);
    await form.getByRole('button', { name: 'Change password' }).click();
    await here.getByText('Your password is changed.').waitFor();
    await expect.poll(() => places(here).count(), { timeout: 20_000 }).toBe(1);
    await here.reload();
    await here.getByRole('region', { name: 'You', exact: true }).waitFor();
    await elsewhere.goto('/settings');
    await elsewhere.getByRole('form', { name: 'Sign in' }).waitFor();
  });

  it('says what to do about a forgotten password where no mail is sent', async () => {
    await elsewhere.goto('/sign-in');
    await elsewhere.getByRole('link', { name: 'Forgotten your password?' }).click();
    const form = elsewhere.getByRole('form', { name: 'Forgotten password' });
    await form.getByLabel('E-mail').fill(email);
    await form.getByRole('button', { name: 'Send link' }).click();
    await form.getByText('This server sends no mail.').waitFor();
    await screenshot(elsewhere, '62-forgotten-password');
  });

  it('sets a new password through the link of the operator’s command, once', async () => {
    const link = await resetLink(email);
    await elsewhere.goto(link);
    const form = elsewhere.getByRole('form', { name: 'New password' });
    await form.getByLabel('New password').first().fill(PASSWORDS[2]);
    await screenshot(elsewhere, '63-reset-password');
    await form.getByRole('button', { name: 'Set password' }).click();
    await elsewhere.getByText('Your password is changed. Sign in with it.').waitFor();
    await tryPassword(elsewhere, PASSWORDS[1]);
    await elsewhere.getByText('E-mail or password is wrong.').waitFor();
    await tryPassword(elsewhere, PASSWORDS[2]);
    await elsewhere.getByRole('navigation', { name: 'Main' }).waitFor();
    await here.bringToFront();
    await here.goto(link);
    const again = here.getByRole('form', { name: 'New password' });
    await again.getByLabel('New password').first().fill(PASSWORDS[0]);
    await again.getByRole('button', { name: 'Set password' }).click();
    await again.getByText('This link does not work any more.').waitFor();
  });

  it('turns on a second factor, which signing in asks for then', async () => {
    await elsewhere.bringToFront();
    await elsewhere.goto('/settings');
    const section = elsewhere.getByRole('region', { name: 'Second factor' });
    await section.getByRole('button', { name: 'Turn on' }).click();
    const first = elsewhere.getByRole('form', { name: 'Your password first' });
    await first.getByLabel('Password').first().fill(PASSWORDS[2]);
    await first.getByRole('button', { name: 'Go on' }).click();
    const app = elsewhere.getByRole('form', { name: 'Connect your app' });
    secret = await app.getByTestId('totp-key').innerText();
    await screenshot(elsewhere, '64-second-factor');
    await app.getByLabel('Code').fill('12345');
    await app.getByRole('button', { name: 'Turn on' }).click();
    await app.getByText('Enter the six digits that the app shows').waitFor();
    await app.getByLabel('Code').fill(authenticator.generate(secret).replace(/^.../, '$& '));
    await app.getByRole('button', { name: 'Turn on' }).click();
    const codes = elsewhere.getByRole('list', { name: 'Backup codes' }).getByRole('listitem');
    await codes.first().waitFor();
    backupCode = await codes.first().innerText();
    await screenshot(elsewhere, '65-backup-codes');
    await elsewhere.getByRole('button', { name: 'I have stored them' }).click();
    await section.getByText('On', { exact: true }).waitFor();

    await here.bringToFront();
    await here.goto('/sign-in');
    await tryPassword(here, PASSWORDS[2]);
    const form = here.getByRole('form', { name: 'Second factor' });
    await form.getByLabel('Code').fill('000000');
    await form.getByRole('button', { name: 'Sign in', exact: true }).click();
    await form.getByText('That code is not right.').waitFor();
    await screenshot(here, '66-second-factor-asked');
    await form.getByLabel('Code').fill(authenticator.generate(secret));
    await form.getByRole('button', { name: 'Sign in', exact: true }).click();
    await here.getByRole('navigation', { name: 'Main' }).waitFor();
  });

  it('takes a backup code in its place, and the operator turns it off', async () => {
    const page = (await openPage(browser)).page;
    await page.goto('/sign-in');
    await tryPassword(page, PASSWORDS[2]);
    const form = page.getByRole('form', { name: 'Second factor' });
    await form.getByRole('button', { name: 'Use a backup code' }).click();
    await form.getByLabel('Backup code').fill(backupCode.replace('-', ''));
    await form.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('navigation', { name: 'Main' }).waitFor();
    expect(await operator('second-factor-off', email)).toContain(`${email} signs in with the password alone`);
    await page.goto('/settings');
    await page.getByRole('region', { name: 'Second factor' }).getByRole('button', { name: 'Turn on' }).waitFor();
    await page.close();
  });
});
