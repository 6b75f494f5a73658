/** Batches as the official client knows them. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type OpenAI from 'openai';
import { CHAT, chatLines, ended, resultsOf, startBatch } from './batch-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { ScriptedRunner, tell } from './scripted-runner.js';

describe('a batch', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  let client: OpenAI;
  beforeAll(async () => {
    test = await startApp();
    tenant = await createTenant(test);
    runner = new ScriptedRunner(test);
    client = openaiClient(test, tenant.key);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it('is answered line by line, each once, in the order of its input', async () => {
    const batch = await startBatch(client, chatLines(150));
    expect(batch).toMatchObject({ object: 'batch', status: 'validating', endpoint: CHAT, completion_window: '24h', errors: null, output_file_id: null });
    const done = await ended(client, batch.id);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 150, completed: 150, failed: 0 }, error_file_id: null });
    const results = await resultsOf(client, done.output_file_id);
    expect(results.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 150 }, (_, index) => String(index + 1)));
    expect(new Set(results.map(({ response }) => JSON.stringify([response?.status_code, response?.body.choices?.[0]?.message?.content])))).toEqual(new Set([JSON.stringify([200, 'Once upon a time'])]));
    const [{ count } = {}] = await sql<{ count: string }>(test, 'SELECT count(*) FROM ledger_entries WHERE tenant_id = $1', [tenant.id]);
    expect(Number(count)).toBe(150);
    expect(await sql(test, 'SELECT 1 FROM batch_lines')).toEqual([]);
  });
});
