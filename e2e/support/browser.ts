/** Headless Chromium, driven as a user would: by roles and labels. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { stack, type tenantWith } from './stack.js';

const { CHROMIUM_PATH, CHROMIUM_LIBRARIES, E2E_SCREENSHOTS } = process.env;

export const hasBrowser = CHROMIUM_PATH !== undefined;

/** It must reach nothing but the stack; sandboxing needs privileges that containers do not give. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch(): Promise<Browser> {
  const env = {
    ...process.env,
    ...(CHROMIUM_LIBRARIES ? { LD_LIBRARY_PATH: CHROMIUM_LIBRARIES } : {}),
  } as Record<string, string>;
  return chromium.launch({ executablePath: CHROMIUM_PATH!, args: ARGUMENTS, env });
}

/** Opens a page that collects what a user would only find in the console. */
export async function openPage(browser: Browser): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    baseURL: stack.portalUrl,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`);
  });
  return { page, problems };
}

export async function signIn(page: Page, { login, password }: ReturnType<typeof tenantWith>): Promise<void> {
  await page.goto('/sign-in');
  const form = page.getByRole('form', { name: 'Sign in' });
  await form.getByLabel('E-mail').fill(login);
  await form.getByLabel('Password').first().fill(password);
  await form.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

/** Keeps a picture when E2E_SCREENSHOTS names a folder: for people, not for comparison. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (!E2E_SCREENSHOTS) return;
  mkdirSync(E2E_SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(E2E_SCREENSHOTS, `${name}.png`), fullPage: true });
}

/**
 * Watches the page's answers from now on; the result gives the lengths their text had, in order. A stream may be over
 * before a test looks, so what it looked like on the way is noted by the page itself.
 */
export async function recordTextLengths(page: Page): Promise<() => Promise<number[]>> {
  const lengths = await page.evaluateHandle(() => {
    const seen: number[] = [];
    new MutationObserver(() => {
      const length = document.querySelector('[role=article]')?.textContent?.length;
      if (length !== undefined && length !== seen.at(-1)) seen.push(length);
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    return seen;
  });
  return () => lengths.jsonValue();
}
