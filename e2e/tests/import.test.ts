import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launch, openPage, screenshot, signIn } from '../support/browser.js';
import { tenantWith } from '../support/stack.js';

/** Hubs that do not answer are asked again after 2 and 10 s, and an import that nobody was told of is looked for every 15 s. */
const OUTCOME = { timeout: 60_000 };

describe.skipIf(!hasBrowser)('adapters from a hub, in the portal', () => {
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    browser = await launch();
    ({ page, problems } = await openPage(browser));
    await signIn(page, tenantWith('order-json'));
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function importFrom(repository: string, fill: Record<string, string> = {}): Promise<void> {
    await page.goto('/adapters');
    await page.getByRole('button', { name: 'Upload adapter' }).first().click();
    await page.getByRole('tab', { name: 'Import from a hub' }).click();
    const form = page.getByRole('form', { name: 'Import adapter' });
    await form.getByLabel('Repository').fill(repository);
    for (const [label, text] of Object.entries(fill)) await form.getByLabel(label).fill(text);
    await form.getByRole('button', { name: 'Import' }).click();
  }

  it('are imported, and say which commit they are of', async () => {
    await importFrom('aril/pirate', { Slug: 'imported-pirate' });
    await page.getByText('imported-pirate is ready').waitFor(OUTCOME);
    await screenshot(page, '30-imported');
    await page.getByRole('link', { name: 'Show details' }).click();
    await page.getByText('Imported from').waitFor();
    await page.getByText('aril/pirate').waitFor();
    expect(await page.getByText(/commit [0-9a-f]{12}/).count()).toBe(1);
  });

  it('that are not there are said not to be, with what to do', async () => {
    await importFrom('aril/none', { Slug: 'imported-none', Token: 'hf_valid' });
    await page.getByText('imported-none could not be imported').waitFor(OUTCOME);
    await page.getByText('The repository was not found').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    expect(await page.getByRole('form', { name: 'Import adapter' }).getByLabel('Repository').inputValue()).toBe('aril/none');
    expect(problems).toEqual([]);
  });
});
