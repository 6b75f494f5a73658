import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenFiles, exampleFiles } from '../support/adapters.js';
import { hasBrowser, launch, openPage, recordTextLengths, screenshot, signIn } from '../support/browser.js';
import { tenantWith } from '../support/stack.js';
import { eventually } from '../support/processes.js';

// Without a browser there is nothing to test with; `npm test` says how to get one.
describe.skipIf(!hasBrowser)('the portal', () => {
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const tenant = hasBrowser ? tenantWith('order-json') : undefined!;

  beforeAll(async () => {
    browser = await launch();
    ({ page, problems } = await openPage(browser));
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function upload(slug: string, files: string[]): Promise<void> {
    await page.goto('/adapters');
    await page.getByRole('button', { name: 'Upload adapter' }).first().click();
    const form = page.getByRole('form', { name: 'New adapter' });
    await form.getByLabel('Adapter files').setInputFiles(files);
    await form.getByLabel('Slug').fill(slug);
    await form.getByRole('button', { name: 'Upload' }).click();
  }

  it('sends a stranger to the sign-in page', async () => {
    await page.goto('/adapters');
    await page.waitForURL(/\/sign-in\?next=%2Fadapters/);
    await screenshot(page, '01-sign-in');
  });

  it('refuses a wrong password and accepts the right one', async () => {
    await page.goto('/sign-in');
    const form = page.getByRole('form', { name: 'Sign in' });
    await form.getByLabel('E-mail').fill(tenant.login);
    await form.getByLabel('Password').first().fill('not the password');
    await form.getByRole('button', { name: 'Sign in' }).click();
    await form.getByRole('alert').waitFor();
    // The browser logs the refused request; it is expected.
    problems.length = 0;
    await signIn(page, tenant);
    await page.getByText(tenant.name).first().waitFor();
    await screenshot(page, '02-overview');
  });

  it('lists the tenant’s adapters and nobody else’s', async () => {
    await page.goto('/adapters');
    for (const slug of tenant.adapters) await page.getByRole('link', { name: slug, exact: true }).waitFor();
    expect(await page.getByRole('link', { name: 'pirate', exact: true }).count()).toBe(0);
    await screenshot(page, '03-adapters');
  });

  it('shows why a broken adapter is refused: file, tensor, found, expected', async () => {
    await upload('my-broken', brokenFiles('pirate', { config: { r: 5 } }));
    await page.getByText('my-broken was refused').waitFor();
    const first = page.getByRole('list', { name: 'Problems' }).getByRole('listitem').first();
    const text = await first.innerText();
    for (const word of ['adapter_model.safetensors', 'lora_', 'Found', 'Expected', '5', '4'])
      expect(text).toContain(word);
    await screenshot(page, '04-refused');
  });

  it('refuses a file that was cut short', async () => {
    await upload(
      'my-cut',
      brokenFiles('pirate', { tensors: (bytes) => bytes.subarray(0, bytes.length - 1000) }),
    );
    await page.getByText('my-cut was refused').waitFor();
    expect(await page.getByRole('list', { name: 'Problems' }).innerText()).toContain(
      'adapter_model.safetensors',
    );
  });

  it('accepts a sound adapter and streams from it at once', async () => {
    await upload('my-pirate', exampleFiles('pirate'));
    await page.getByText('my-pirate is ready').waitFor();
    await screenshot(page, '05-accepted');
    await page.getByRole('link', { name: 'Try in playground' }).click();
    await page.waitForURL(/\/playground\?target=my-pirate/);
    const lengths = await recordTextLengths(page);
    await page.getByLabel('Message').fill('Tell me about the stars.');
    await page.getByLabel('Message').press('Enter');
    const answer = page.getByRole('article', { name: 'Answer of my-pirate' });
    await answer.and(page.locator('[data-state=finished]')).waitFor({ timeout: 60_000 });
    expect(await answer.innerText()).toMatch(/arr|ye |matey|aye|ship|sea/i);
    // It arrived in pieces, not at once: there were no text, some, and all.
    expect(new Set(await lengths()).size).toBeGreaterThan(2);
    await screenshot(page, '06-playground');
  });

  it('streams from two targets side by side', async () => {
    await page.goto('/playground?target=reply-friendly');
    await page.getByRole('switch', { name: 'Compare two' }).check();
    const right = page.getByRole('combobox', { name: 'Side B: target' });
    // The side gets its default when the targets have arrived; that would replace what is being typed.
    await eventually('side B to have a target', async () => (await right.inputValue()) !== '');
    await right.fill('reply-brief');
    await page.getByRole('option', { name: 'reply-brief' }).click();
    await page.getByLabel('Message').fill('I forgot my password.');
    await page.getByRole('button', { name: 'Send' }).click();
    for (const target of ['reply-friendly', 'reply-brief']) {
      const answer = page.getByRole('article', { name: `Answer of ${target}` });
      await answer.and(page.locator('[data-state=finished]')).waitFor({ timeout: 60_000 });
    }
    await screenshot(page, '07-side-by-side');
  });

  it('answers in the JSON that the advanced settings ask for', async () => {
    await page.goto('/playground?target=reply-brief');
    await page.getByRole('button', { name: 'Advanced' }).click();
    const schema = page.getByLabel('JSON schema');
    await schema.fill('{ "type": ');
    await page.getByLabel('Message').fill('Where is the treasure?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Some settings are not valid. Correct them to send.').waitFor();
    await schema.fill(
      '{"type":"object","properties":{"buried":{"type":"boolean"}},"required":["buried"],"additionalProperties":false}',
    );
    await page.getByRole('button', { name: 'Send' }).click();
    const answer = page.getByRole('article', { name: 'Answer of reply-brief' });
    await answer.and(page.locator('[data-state=finished]')).waitFor({ timeout: 60_000 });
    expect(await answer.innerText()).toMatch(/\{\s*"buried":\s*(true|false)\s*\}/);
    await screenshot(page, '08-advanced');
  });

  it('splits one name between two adapters, and compares them', async () => {
    await page.goto('/deployments');
    await page.getByRole('link', { name: 'reply', exact: true }).waitFor();
    await page.getByRole('button', { name: 'New deployment' }).first().click();
    const form = page.getByRole('form', { name: 'New deployment' });
    await form.getByLabel('Slug').fill('my-orders');
    for (const [index, target] of ['order-json', 'reply-brief'].entries()) {
      await form.getByRole('combobox', { name: `Variant ${index + 1}: target` }).click();
      await page.getByRole('option', { name: target, exact: true }).click();
    }
    await form.getByRole('textbox', { name: 'Variant 2: weight' }).fill('0');
    await form.getByRole('button', { name: 'Create deployment' }).click();
    await page.getByRole('heading', { name: 'my-orders' }).waitFor();
    await page.getByRole('link', { name: 'Try in playground' }).click();
    await page.getByLabel('Message').fill('Hi, this is Nora. Please send 12 green chairs to Madrid by Friday.');
    await page.getByLabel('Message').press('Enter');
    const answer = page.getByRole('article', { name: 'Answer of my-orders' });
    await answer.and(page.locator('[data-state=finished]')).waitFor({ timeout: 60_000 });
    expect(await answer.innerText()).toContain('my-orders → order-json');
    await page.goto('/deployments');
    await page.getByRole('link', { name: 'my-orders', exact: true }).click();
    await page.waitForURL(/\/deployments\/.+/);
    const row = page.getByRole('region', { name: 'Comparison' }).getByRole('row', { name: /order-json/ });
    // The settlement follows the answer by a moment.
    await eventually('the request to be compared', async () => {
      await page.reload();
      await row.waitFor({ timeout: 3_000 }).catch(() => undefined);
      return (await row.count()) > 0 && /100%, set to 100%/.test(await row.innerText());
    });
    await screenshot(page, '10-deployment');
  });

  it('shows the usage', async () => {
    await page.goto('/usage');
    const row = page.getByRole('row').filter({ hasText: 'my-pirate' }).first();
    await row.waitFor();
    expect(await row.innerText()).toMatch(/\b1\b/);
    await screenshot(page, '09-usage');
  });

  it('makes an API key, shows it once, and revokes it', async () => {
    await page.goto('/api-keys');
    await page
      .getByRole('button', { name: /create|new/i })
      .first()
      .click();
    const form = page.getByRole('form', { name: 'New API key' });
    await form.getByLabel('Name').fill('from the browser');
    await form.getByRole('button', { name: /create/i }).click();
    const secret = (await page.getByTestId('api-key-secret').innerText()).trim();
    const { apiUrl } = (await import('../support/stack.js')).stack;
    const models = () => fetch(`${apiUrl}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
    expect((await models()).status).toBe(200);
    await page.goto('/api-keys');
    expect(await page.content()).not.toContain(secret);
    await page.getByRole('button', { name: 'Revoke from the browser' }).click();
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /revoke/i })
      .click();
    await page.getByRole('button', { name: 'Revoke from the browser' }).waitFor({ state: 'detached' });
    expect((await models()).status).toBe(401);
    await screenshot(page, '10-api-keys');
  });

  it('narrows what an API key may do, and rotates it with a grace', async () => {
    const { apiUrl } = (await import('../support/stack.js')).stack;
    const status = async (path: string, secret: string): Promise<number> =>
      (await fetch(`${apiUrl}${path}`, { headers: { authorization: `Bearer ${secret}` } })).status;
    const shown = async (): Promise<string> => (await page.getByTestId('api-key-secret').innerText()).trim();
    const change = async (what: string): Promise<void> => {
      await page.getByRole('button', { name: 'Change narrow' }).click();
      await page.getByRole('menuitem', { name: what }).click();
    };
    await page.goto('/api-keys');
    await page.getByRole('button', { name: 'Create API key' }).first().click();
    const form = page.getByRole('form', { name: 'New API key' });
    await form.getByLabel('Name').fill('narrow');
    await form.getByLabel('Only what is chosen').check();
    await form.getByRole('button', { name: 'Create key' }).click();
    const old = await shown();
    await page.getByRole('button', { name: 'I have stored it' }).click();
    expect(await status('/v1/models', old)).toBe(200);
    expect(await status('/statements/2026-01.pdf', old)).toBe(403);

    await change('Permissions');
    const permissions = page.getByRole('form', { name: 'Permissions' });
    await permissions.getByLabel('See usage').check();
    await permissions.getByRole('button', { name: 'Save permissions' }).click();
    await permissions.waitFor({ state: 'detached' });
    expect(await status('/statements/2026-01.pdf', old)).toBe(200);
    await page.getByRole('row', { name: /narrow/ }).getByText('Generate, see usage').waitFor();

    await change('Rotate');
    await page.getByRole('form', { name: 'Rotate API key' }).getByRole('button', { name: 'Rotate key' }).click();
    const fresh = await shown();
    await screenshot(page, '10-api-key-rotated');
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.getByText(`Old secret ${old.slice(0, 11)}… works until`).waitFor();
    expect([await status('/v1/models', old), await status('/v1/models', fresh)]).toEqual([200, 200]);
    await screenshot(page, '10-api-key-grace');

    await change('Rotate');
    const again = page.getByRole('form', { name: 'Rotate API key' });
    await again.getByText('An older secret still works').waitFor();
    await again.getByRole('combobox').or(again.getByLabel('The present secret works')).first().click();
    await page.getByRole('option', { name: 'Not any more, from now on' }).click();
    await again.getByRole('button', { name: 'Rotate key' }).click();
    const last = await shown();
    await page.getByRole('button', { name: 'I have stored it' }).click();
    expect([await status('/v1/models', old), await status('/v1/models', fresh), await status('/v1/models', last)]).toEqual([401, 401, 200]);
    await page.getByText(/^Old secret/).waitFor({ state: 'detached' });
  });

  it('holds an API key to the targets that are searched for and picked', async () => {
    const { apiUrl } = (await import('../support/stack.js')).stack;
    await page.goto('/api-keys');
    await page.getByRole('button', { name: 'Create API key' }).first().click();
    const form = page.getByRole('form', { name: 'New API key' });
    await form.getByLabel('Name').fill('held');
    await form.getByLabel('Certain targets').check();
    await form.getByRole('button', { name: 'Create key' }).click();
    await form.getByText('Choose at least one').waitFor();
    await form.getByRole('combobox', { name: 'Chosen targets' }).fill('pirate');
    await page.getByRole('option', { name: 'my-pirate' }).click();
    await screenshot(page, '10-api-key-targets');
    // The list stays open for more.
    await page.keyboard.press('Escape');
    await form.getByRole('button', { name: 'Create key' }).click();
    const secret = (await page.getByTestId('api-key-secret').innerText()).trim();
    await page.getByRole('button', { name: 'I have stored it' }).click();
    const models = async (): Promise<string[]> => {
      const response = await fetch(`${apiUrl}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
      return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    expect(await models()).toEqual(['my-pirate']);
    const row = page.getByRole('row', { name: /held/ });
    await row.getByText('my-pirate').waitFor();

    await page.goto('/adapters');
    await page.getByRole('button', { name: 'Delete my-pirate' }).click();
    await page.getByRole('dialog').getByText('held (which may name nothing else)').waitFor();
    await page.getByRole('button', { name: 'Keep it' }).click();
    await page.goto('/api-keys');

    await page.getByRole('button', { name: 'Change held' }).click();
    await page.getByRole('menuitem', { name: 'Targets' }).click();
    const targets = page.getByRole('form', { name: 'Targets' });
    await targets.getByLabel('All targets').check();
    await targets.getByRole('button', { name: 'Save targets' }).click();
    await targets.waitFor({ state: 'detached' });
    expect((await models()).length).toBeGreaterThan(1);
    await row.getByText('All', { exact: true }).waitFor();
  });

  it('deletes an adapter', async () => {
    await page.goto('/adapters');
    await page.getByRole('button', { name: 'Delete my-pirate' }).click();
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /delete/i })
      .click();
    await page.getByRole('link', { name: 'my-pirate', exact: true }).waitFor({ state: 'detached' });
  });

  it('has logged no error in the browser on all of this', () => {
    expect(problems).toEqual([]);
  });
});
