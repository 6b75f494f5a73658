import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launch, openPage, screenshot, signIn } from '../support/browser.js';
import { generate } from '../support/graphql.js';
import { eventually } from '../support/processes.js';
import { tenantWith } from '../support/stack.js';

/** Of a statement as CSV: what a spreadsheet would make of it. No field of these tests holds a comma or a quote. */
function parseCsv(text: string): Record<string, string>[] {
  const [names, ...rows] = text.trim().split(/\r?\n/).map((line) => line.split(','));
  return rows.map((row) => Object.fromEntries(names!.map((name, index) => [name, row[index] ?? ''])));
}

const sum = (rows: Record<string, string>[], column: string): number =>
  rows.reduce((total, row) => total + Number(row[column]), 0);

// Without a browser there is nothing to test with; `npm test` says how to get one.
describe.skipIf(!hasBrowser)('billing', () => {
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const tenant = hasBrowser ? tenantWith('sql') : undefined!;
  const figure = (name: string) => page.getByRole('group', { name, exact: true });
  const download = async (format: string) => {
    await page.getByRole('button', { name: /^Download preview of / }).click();
    const started = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: format }).click();
    const file = await started;
    return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
  };

  beforeAll(async () => {
    browser = await launch();
    ({ page, problems } = await openPage(browser));
    await signIn(page, tenant);
  });
  afterAll(async () => {
    await browser?.close();
  });

  it('shows what was used this month, as soon as it is settled', async () => {
    const shown = async () => {
      await page.goto('/billing');
      return Number((await figure('Requests').innerText()).match(/\d+/)?.[0]);
    };
    const before = await shown();
    await generate(tenant.apiKey, {
      target: 'triage',
      messages: [{ role: 'USER', content: 'My parcel is late.' }],
      sampling: { maxTokens: 8, temperature: 0 },
    });
    await eventually('the preview to have the request', async () => (await shown()) === before + 1);
    await page.getByText('No statements yet').waitFor();
    await screenshot(page, '40-billing');
  });

  it('tells the requests that a line is the sum of', async () => {
    await page.getByRole('link', { name: /^Details of / }).click();
    await page.getByRole('button', { name: /^Requests of line \d+, triage$/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Requests of triage' });
    await dialog.getByRole('row').nth(1).waitFor();
    await screenshot(page, '41-requests-of-a-line');
    await dialog.getByRole('button', { name: 'Close' }).click();
  });

  it('downloads as CSV what the page shows', async () => {
    const { name, bytes } = await download('CSV');
    expect(name).toMatch(/^statement-\d{4}-\d{2}-preview\.csv$/);
    const rows = parseCsv(bytes.toString('utf8'));
    expect(rows.filter(({ target }) => target === 'triage')).not.toEqual([]);
    const shown = async (label: string) => (await figure(label).innerText()).replaceAll(',', '');
    expect(await shown('Requests')).toContain(`\n${sum(rows, 'requests')}\n`);
    expect(await shown('Tokens out')).toMatch(new RegExp(`\\b${sum(rows, 'completion_tokens')}$`));
    expect(await shown('Amount')).toContain(`$${sum(rows, 'amount_usd').toFixed(6)}`);
  });

  it('downloads a PDF and a JSON too', async () => {
    expect((await download('PDF')).bytes.subarray(0, 5).toString()).toBe('%PDF-');
    const { bytes } = await download('JSON');
    expect(JSON.parse(bytes.toString('utf8'))).toMatchObject({ status: 'PREVIEW' });
    await screenshot(page, '42-preview');
  });

  it('addresses statements to whom the details name', async () => {
    await page.goto('/billing');
    const form = page.getByRole('form', { name: 'Billing details' });
    await form.getByLabel('E-mail').fill('nobody');
    await form.getByLabel('Legal name').fill('Northbeam Software Ltd.');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByText('Enter an e-mail address, or nothing').waitFor();
    await form.getByLabel('E-mail').fill('accounts@northbeam.example');
    await form.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Billing details saved').waitFor();
    await page.getByRole('link', { name: /^Details of / }).click();
    await page.getByRole('region', { name: 'Billed to' }).getByText('Northbeam Software Ltd.').waitFor();
  });

  it('has logged no error in the browser on all of this', () => {
    expect(problems).toEqual([]);
  });
});
