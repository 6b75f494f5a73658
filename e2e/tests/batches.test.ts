import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launch, openPage, screenshot, signIn } from '../support/browser.js';
import { usage } from '../support/graphql.js';
import { apiReady, eventually, kill } from '../support/processes.js';
import { SQL, stack, tenantWith } from '../support/stack.js';

const tenant = tenantWith('sql');
const URL_PATH = '/v1/chat/completions';

const line = (id: string, model: string, prompt: string, body: object = {}): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url: URL_PATH, body: { model, messages: [{ role: 'user', content: prompt }], temperature: 0, max_tokens: 64, ...body } });

interface Result {
  custom_id: string;
  response: { body: { choices: { message: { content: string } }[]; usage: { completion_tokens: number } } };
}
const resultsIn = (text: string): Result[] => text.split('\n').filter(Boolean).map((each) => JSON.parse(each) as Result);

describe('a batch over the adapters of a tenant', () => {
  it.each([
    ['the API', () => kill('api')],
    ['the runner', () => kill('runner')],
    ['Redis', () => kill('redis')],
    ['Postgres', () => kill('postgres')],
  ])('goes on where it was when %s is killed: each line is answered once and billed once', async (_what, killIt) => {
    const client = new OpenAI({ apiKey: tenant.apiKey, baseURL: `${stack.apiUrl}/v1` });
    const before = await usage(tenant.apiKey);
    const models = ['sql', 'triage', 'pirate', 'smollm2-135m-instruct'];
    const lines = Array.from({ length: 40 }, (_, index) => line(`line-${index}`, models[index % models.length] ?? 'sql', SQL.prompt, { max_tokens: 8 + 2 * index, ignore_eos: true }));
    const file = await client.files.create({ file: await toFile(Buffer.from(lines.join('\n')), 'requests.jsonl'), purpose: 'batch' });
    const { id } = await client.batches.create({ input_file_id: file.id, endpoint: URL_PATH as '/v1/completions', completion_window: '24h' });
    await eventually('the first answers', async () => ((await client.batches.retrieve(id)).request_counts?.completed ?? 0) > 0);
    await killIt();
    await apiReady();
    const done = await eventually('the end of the batch', async () => {
      const batch = await client.batches.retrieve(id);
      return batch.status !== 'validating' && batch.status !== 'in_progress' && batch.status !== 'finalizing' && batch;
    }, 180_000);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 40, completed: 40, failed: 0 } });
    const results = resultsIn(await (await client.files.content(done.output_file_id ?? '')).text());
    expect(results.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 40 }, (_, index) => `line-${index}`));
    const tokens = results.reduce((sum, { response }) => sum + response.body.usage.completion_tokens, 0);
    // An answer is there before its settlement is.
    const after = await eventually('the settlements', async () => {
      const now = await usage(tenant.apiKey);
      return now.totals.completionTokens - before.totals.completionTokens >= tokens && now;
    });
    expect(after.totals.completionTokens - before.totals.completionTokens).toBe(tokens);
  });
});

// Without a browser there is nothing to test with; `npm test` says how to get one.
describe.skipIf(!hasBrowser)('batches in the portal', () => {
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const folder = mkdtempSync(join(stack.home, 'batches-'));
  beforeAll(async () => {
    browser = await launch();
    ({ page, problems } = await openPage(browser));
    await signIn(page, tenant);
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function start(name: string, lines: string[]): Promise<void> {
    const path = join(folder, name);
    writeFileSync(path, lines.join('\n'));
    await page.getByRole('link', { name: 'Batches', exact: true }).click();
    await page.getByRole('button', { name: 'New batch' }).first().click();
    const form = page.getByRole('form', { name: 'New batch' });
    await form.getByLabel('File of requests').setInputFiles(path);
    await screenshot(page, `batches-form-${name}`);
    await form.getByRole('button', { name: 'Start batch' }).click();
    await page.getByRole('heading', { level: 1, name }).waitFor();
  }

  it('are started from a file, watched, and downloaded', async () => {
    await start('orders.jsonl', [line('a', 'sql', SQL.prompt), line('b', 'nothing-such', SQL.prompt)]);
    await page.getByText('Completed').waitFor({ timeout: 120_000 });
    await page.getByText('2 of 2 · 1 failed').waitFor();
    await screenshot(page, 'batches-completed');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Answers' }).click()]);
    const answers = resultsIn(readFileSync(await download.path(), 'utf8'));
    expect(answers.map(({ custom_id, response }) => [custom_id, response.body.choices[0]?.message.content])).toEqual([['a', SQL.answer]]);
    const [errors] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Errors' }).click()]);
    expect(readFileSync(await errors.path(), 'utf8')).toContain('model_not_found');
  });

  it('say what is wrong with a file, line by line', async () => {
    await start('wrong.jsonl', [line('a', 'sql', SQL.prompt, { temperature: 9 }), line('a', 'sql', SQL.prompt, { stream: true })]);
    await page.getByRole('region', { name: 'The file was not taken' }).or(page.getByLabel('The file was not taken')).first().waitFor();
    const rows = page.getByRole('row');
    expect(await rows.nth(1).innerText()).toContain('temperature');
    expect(await rows.nth(2).innerText()).toContain('stream');
    await screenshot(page, 'batches-problems');
  });

  it('are cancelled after a question, and listed with their states', async () => {
    const many = Array.from({ length: 400 }, (_, index) => line(String(index), 'sql', SQL.prompt, { max_tokens: 1_000, ignore_eos: true }));
    await start('many.jsonl', many);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel batch' }).click();
    await page.getByText('Cancelled', { exact: true }).waitFor({ timeout: 120_000 });
    await page.getByRole('link', { name: 'All batches' }).click();
    for (const [name, state] of [['orders.jsonl', 'Completed'], ['wrong.jsonl', 'Failed'], ['many.jsonl', 'Cancelled']] as const) {
      expect(await page.getByRole('row', { name: new RegExp(name) }).first().innerText()).toContain(state);
    }
    await screenshot(page, 'batches-list');
    await page.emulateMedia({ colorScheme: 'dark' });
    await screenshot(page, 'batches-list-dark');
    expect(problems).toEqual([]);
  });
});
