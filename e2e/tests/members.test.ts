import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launch, openPage, screenshot, signIn } from '../support/browser.js';
import { tenantWith } from '../support/stack.js';

const PASSWORD = 'a long enough password';

// Without a browser there is nothing to test with; `npm test` says how to get one.
describe.skipIf(!hasBrowser)('members', () => {
  let browser: Browser;
  let owner: Page;
  let guest: Page;
  const tenant = hasBrowser ? tenantWith('order-json') : undefined!;
  const email = `guest-${randomUUID()}@example.test`;
  let link: string;

  beforeAll(async () => {
    browser = await launch();
    owner = (await openPage(browser)).page;
    guest = (await openPage(browser)).page;
    await signIn(owner, tenant);
  });
  afterAll(async () => {
    await browser?.close();
  });

  const row = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text });
  const role = (page: Page) => row(page, email).getByRole('combobox', { name: 'Role of Gil Guest' });

  it('invites by a link, as nobody set up a mail server', async () => {
    await owner.goto('/settings');
    await owner.getByRole('button', { name: 'Invite', exact: true }).click();
    const form = owner.getByRole('form', { name: 'Invite somebody' });
    await form.getByLabel('E-mail').fill(email);
    await screenshot(owner, '20-invite');
    await form.getByRole('button', { name: 'Invite' }).click();
    link = await owner.getByTestId('invitation-link').innerText();
    await screenshot(owner, '21-invited');
    await owner.getByRole('button', { name: 'Done' }).click();
    await owner.getByRole('list', { name: 'Open invitations' }).getByText(email).waitFor();
    await screenshot(owner, '22-open-invitations');
  });

  it('tells another account that the link is not for it', async () => {
    await owner.goto(link);
    await owner.getByText('This invitation is for another account').waitFor();
    await screenshot(owner, '23-wrong-account');
  });

  it('lets the invited person sign up, without a workspace of their own, and accept', async () => {
    await guest.goto(link);
    await screenshot(guest, '24-invitation');
    await guest.getByRole('link', { name: 'Create an account' }).click();
    const form = guest.getByRole('form', { name: 'Create account' });
    await form.getByLabel('Your name').fill('Gil Guest');
    expect(await form.getByLabel('Company or team').count()).toBe(0);
    await form.getByLabel('E-mail').fill(email);
    await form.getByLabel('Password').first().fill(PASSWORD);
    await screenshot(guest, '25-sign-up');
    await form.getByRole('button', { name: 'Create account' }).click();
    await guest.getByRole('button', { name: 'Accept' }).waitFor();
    await screenshot(guest, '26-answer');
    await guest.getByRole('button', { name: 'Accept' }).click();
    await guest.getByTestId('tenant-name').getByText(tenant.name).waitFor();
    await guest.goto(link);
    await guest.getByRole('heading', { name: 'This invitation was accepted' }).waitFor();
  });

  it('shows a member no button that would be refused, and says who has it', async () => {
    const buttons = (name: string | RegExp) => guest.getByRole('button', { name });
    await guest.goto('/api-keys');
    await guest.getByText('Owners and admins of the workspace make, change and revoke them.').waitFor();
    await row(guest, 'aril_').first().waitFor();
    expect(await buttons(/create api key|^revoke |^change /i).count()).toBe(0);
    await screenshot(guest, '26-keys-as-member');
    await guest.goto('/settings');
    for (const reason of ['Owners and admins rename it.', 'Owners and admins change them.']) await guest.getByText(reason).first().waitFor();
    expect(await buttons(/^rename|^invite|^edit |^remove /i).count()).toBe(0);
    await guest.goto('/billing');
    await guest.getByText('Owners and admins of the workspace change them.').waitFor();
    expect(await buttons(/save/i).count()).toBe(0);
    await guest.goto('/audit-log');
    await guest.getByText('For owners and admins').waitFor();
    expect(await buttons(/export/i).count()).toBe(0);
    // What a member may do is there.
    await guest.goto('/adapters');
    await buttons('Upload adapter').first().waitFor();
  });

  it('gives the member another role, which shows to them', async () => {
    await guest.goto('/settings');
    await row(guest, email).getByText('Member', { exact: true }).waitFor();
    expect(await guest.getByRole('button', { name: 'Invite', exact: true }).count()).toBe(0);
    // Messages go after some seconds, and browsers are slow to draw what nobody sees.
    await owner.bringToFront();
    await owner.goto('/settings');
    await role(owner).click();
    await owner.getByRole('option', { name: 'Admin' }).click();
    await owner.getByText('Gil Guest is now admin.').waitFor();
    await screenshot(owner, '27-members');
    await guest.reload();
    await guest.getByRole('button', { name: 'Invite', exact: true }).waitFor();
    await screenshot(guest, '28-as-admin');
  });

  it('leads from one workspace to another, and all tabs along', async () => {
    await guest.goto('/workspaces/new');
    await guest.getByLabel('Company or team').fill('Guest House');
    await screenshot(guest, '29-new-workspace');
    const other = await guest.context().newPage();
    await other.goto('/settings');
    await other.getByTestId('tenant-name').getByText(tenant.name).waitFor();
    // Browsers are slow to draw what nobody sees.
    await guest.bringToFront();
    await guest.getByRole('button', { name: 'Create workspace' }).click();
    for (const page of [guest, other]) await page.getByTestId('tenant-name').getByText('Guest House').waitFor();
    await guest.getByRole('button', { name: 'account menu' }).click();
    await screenshot(guest, '30-workspaces');
    await guest.getByRole('menuitemradio', { name: tenant.name }).click();
    for (const page of [guest, other]) await page.getByTestId('tenant-name').getByText(tenant.name).waitFor();
    await other.close();
  });

  it('removes the member, whose next page is of the workspace that is left to them', async () => {
    await owner.reload();
    await row(owner, email).getByRole('button', { name: 'Remove Gil Guest' }).click();
    await owner.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await owner.getByText('Gil Guest was removed.').waitFor();
    // Without a new page the portal still shows the old workspace, until the API says otherwise.
    await guest.getByRole('link', { name: 'API keys' }).click();
    await guest.getByTestId('tenant-name').getByText('Guest House').waitFor();
    await guest.goto('/adapters');
    expect(await guest.getByRole('link', { name: tenant.adapters[0]!, exact: true }).count()).toBe(0);
  });

  it('keeps what was typed in the playground when the session ends, until somebody else signs in', async () => {
    await guest.goto('/playground');
    await guest.getByLabel('Message').fill('A long thought');
    const cookies = await guest.context().cookies();
    await guest.context().clearCookies();
    await guest.reload();
    const form = guest.getByRole('form', { name: 'Sign in' });
    await form.waitFor();
    await guest.context().addCookies(cookies);
    await guest.goto('/playground');
    expect(await guest.getByLabel('Message').inputValue()).toBe('A long thought');
    await guest.context().clearCookies();
    await signIn(guest, tenant);
    await guest.goto('/playground');
    expect(await guest.getByLabel('Message').inputValue()).toBe('');
  });
});
