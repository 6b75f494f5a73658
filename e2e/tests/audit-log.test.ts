import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenFiles } from '../support/adapters.js';
import { hasBrowser, launch, openPage, screenshot, signIn } from '../support/browser.js';
import { tenantWith } from '../support/stack.js';

// Without a browser there is nothing to test with; `npm test` says how to get one.
describe.skipIf(!hasBrowser)('the audit log', () => {
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const tenant = hasBrowser ? tenantWith('sql') : undefined!;
  const row = (text: string) => page.getByRole('row').filter({ hasText: text }).first();
  const open = async (what: string) => {
    await page.getByRole('button', { name: `Details of ${what}` }).first().click();
    return page.getByRole('table').last();
  };
  const choose = async (label: string, option: string | RegExp) => {
    await page.getByRole('combobox', { name: label }).click();
    await page.getByRole('option', { name: option }).click();
  };
  const rename = async (name: string) => {
    await page.goto('/settings');
    await page.getByRole('button', { name: 'Rename' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Name' }).fill(name);
    await dialog.getByRole('button', { name: 'Rename' }).click();
    await dialog.waitFor({ state: 'hidden' });
  };

  beforeAll(async () => {
    browser = await launch();
    ({ page, problems } = await openPage(browser));
    await signIn(page, tenant);
  });
  afterAll(async () => {
    await browser?.close();
  });

  it('tells that the workspace was renamed, from what to what, and by whom', async () => {
    await rename('Northbeam Research');
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Audit log' }).click();
    await row('Workspace renamed').getByText(tenant.login).waitFor();
    const changes = await open('Workspace renamed, Northbeam Research');
    const change = changes.getByRole('row').filter({ hasText: 'Name' });
    await change.getByRole('cell', { name: tenant.name, exact: true }).waitFor();
    await change.getByRole('cell', { name: 'Northbeam Research', exact: true }).waitFor();
    await screenshot(page, '60-audit-renamed');
    await rename(tenant.name);
  });

  it('tells that an adapter came, was refused and was deleted, with no link to what is gone', async () => {
    await page.goto('/adapters');
    await page.getByRole('button', { name: 'Upload adapter' }).first().click();
    const form = page.getByRole('form', { name: 'New adapter' });
    await form.getByLabel('Adapter files').setInputFiles(brokenFiles('pirate', { config: { r: 5 } }));
    await form.getByLabel('Slug').fill('short-lived');
    await form.getByRole('button', { name: 'Upload' }).click();
    await page.getByText('short-lived was refused').waitFor();
    await page.goto('/audit-log?action=adapter.create');
    await row('short-lived').getByRole('link', { name: 'short-lived' }).click();
    await page.waitForURL(/\/adapters\/[0-9a-f-]+$/);
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.waitForURL(/\/adapters$/);

    await page.goto('/audit-log');
    for (const what of ['Adapter created', 'Adapter upload finished', 'Adapter deleted']) {
      await page.getByRole('row').filter({ hasText: what }).filter({ hasText: 'short-lived' }).waitFor();
    }
    expect(await page.getByRole('link', { name: 'short-lived' }).count()).toBe(0);
    await open('Adapter upload finished, short-lived');
    await page.getByRole('cell', { name: 'REFUSED', exact: true }).waitFor();
    await screenshot(page, '61-audit-adapter');
  });

  it('is narrowed down, and the address keeps what to', async () => {
    await choose('What', 'Adapter deleted');
    await page.waitForURL(/action=adapter\.delete/);
    await row('Adapter created').waitFor({ state: 'detached' });
    await choose('Who', new RegExp(tenant.login));
    await page.waitForURL(/actor=USER/);
    await page.reload();
    await row('short-lived').waitFor();
    await page.getByLabel('Last day (UTC)').fill('2020-01-01');
    await page.getByText('Nothing matches').waitFor();
    await page.getByLabel('First day (UTC)').fill('2020-01-02');
    await page.getByText('The first day lies after the last').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.waitForURL(/\/audit-log$/);
  });

  it('is exported as it is narrowed down', async () => {
    await page.goto('/audit-log?action=adapter.delete');
    for (const [format, name] of [['CSV', 'audit-events.csv'], ['JSON lines', 'audit-events.jsonl']] as const) {
      await page.getByRole('button', { name: 'Export' }).click();
      const started = page.waitForEvent('download');
      await page.getByRole('menuitem', { name: format }).click();
      const file = await started;
      expect(file.suggestedFilename()).toBe(name);
      const text = readFileSync(await file.path(), 'utf8');
      expect(text).toContain('short-lived');
      expect(text).not.toContain('adapter.create');
    }
  });

  it('fits a phone, and is read in the dark', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto('/audit-log?action=adapter.finishUpload');
    await open('Adapter upload finished, short-lived');
    await page.getByText('Problems').waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(390);
    await screenshot(page, '62-audit-phone');
    await page.emulateMedia({ colorScheme: 'dark' });
    await screenshot(page, '63-audit-phone-dark');
    await page.setViewportSize({ width: 1280, height: 900 });
    await screenshot(page, '64-audit-dark');
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('has logged no error in the browser on all of this', () => {
    expect(problems).toEqual([]);
  });
});
