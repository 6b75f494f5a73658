/** Batches whose processes die or lose what they have, at any moment: each line is answered once and billed once. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '@aril/object-store';
import type OpenAI from 'openai';
import { BatchFilePurge } from '../src/core/batches/files/batch-file-purge.js';
import { BatchRunner } from '../src/core/batches/run/batch-runner.js';
import { BatchWriter } from '../src/core/batches/run/batch-writer.js';
import { GenerationQueue } from '../src/core/generations/generation-queue.js';
import { TextRetentionService } from '../src/core/generations/text-retention.service.js';
import { OBJECT_STORE } from '../src/integrations/object-storage/object-storage.module.js';
import { BatchModel } from '../src/models/batch.model.js';
import { chatLines, ended, ENDED_WITHIN_MS, resultsOf, resume, startBatch } from './batch-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { gate, ScriptedRunner, tell, until } from './scripted-runner.js';

const HOUR_MS = 3_600_000;

describe('a batch whose process dies', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  let client: OpenAI;
  beforeAll(async () => {
    test = await startApp({ BATCH_PARALLEL_REQUESTS: '4' });
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

  const uuid = (id: string): string => id.replace('batch_', '');
  const waiting = (count: number): Promise<boolean> => until(async () => (await runner.generations.getPrioritizedCount()) === count);

  /** Each line once, in order, and as many generations in the ledger as lines were answered. */
  async function expectWhole(id: string, count: number): Promise<void> {
    const done = await ended(client, id);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: count, completed: count, failed: 0 } });
    const results = await resultsOf(client, done.output_file_id);
    expect(results.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: count }, (_, index) => String(index + 1)));
    for (const { response } of results) expect(response?.body.choices?.[0]?.message?.content).toBe('Once upon a time');
    const charged = await sql(test, 'SELECT 1 FROM ledger_entries l JOIN generations g ON g.id = l.generation_id WHERE g.idempotency_key LIKE $1 AND l.amount_nano_usd > 0', [`${id}/%`]);
    expect(charged).toHaveLength(count);
  }

  it('while it is fed goes on in the next one', async () => {
    const held = gate();
    runner.script = async (run) => {
      if (runner.jobs.length > 2) await held.opened;
      await tell(run);
    };
    const before = runner.jobs.length;
    const { id } = await startBatch(client, chatLines(10));
    await until(() => runner.jobs.length >= before + 4);
    await test.restart();
    held.open();
    await expectWhole(id, 10);
    expect(runner.jobs).toHaveLength(before + 10);
  });

  it('between a line’s row and its job has the job added', async () => {
    await runner.pause();
    const { id } = await startBatch(client, chatLines(6));
    await waiting(4);
    await test.app.close();
    await runner.generations.drain();
    await waiting(0);
    await test.restart();
    await waiting(4);
    await runner.resume();
    await expectWhole(id, 6);
  });

  it('before it stores what was answered finds it in the rows, however long after', async () => {
    const held = gate();
    runner.script = async (run) => {
      await held.opened;
      await tell(run);
      await run.forgetStream();
    };
    const { id } = await startBatch(client, chatLines(3));
    const inState = (status: string): Promise<boolean> =>
      until(async () => (await sql(test, 'SELECT 1 FROM generations WHERE idempotency_key LIKE $1 AND status::text = $2', [`${id}/%`, status])).length === 3);
    await inState('QUEUED');
    test.app.get(BatchModel, { strict: false }).answer = () => Promise.reject(new Error('the database is away'));
    held.open();
    await inState('SUCCEEDED');
    await sql(test, "UPDATE generations SET finished_at = finished_at - interval '3 days' WHERE idempotency_key LIKE $1", [`${id}/%`]);
    await test.app.get(TextRetentionService, { strict: false }).purge();
    await test.restart();
    await expectWhole(id, 3);
    await test.app.get(TextRetentionService, { strict: false }).purge(Date.now() + 72 * HOUR_MS);
    expect(await sql(test, 'SELECT 1 FROM generations WHERE text IS NOT NULL')).toEqual([]);
  });

  it('while it writes its output is written by the next one, and leaves nothing for good', async () => {
    const store = test.app.get<ObjectStore>(OBJECT_STORE, { strict: false });
    const put = store.put.bind(store);
    const writing = gate();
    store.put = async (key, body, options) => {
      const input = await sql<{ purpose: string }>(test, 'SELECT purpose FROM batch_files WHERE id = $1', [key.split('/').at(-1)]);
      if (input[0]?.purpose === 'batch') return put(key, body, options);
      await put(key, body, options);
      writing.open();
      throw new Error('killed here');
    };
    const { id } = await startBatch(client, chatLines(3));
    await writing.opened;
    await test.restart();
    await expectWhole(id, 3);
    await sql(test, "UPDATE batch_files SET created_at = created_at - interval '2 days' WHERE ready_at IS NULL");
    await test.app.get(BatchFilePurge, { strict: false }).sweep();
    expect(await sql(test, 'SELECT 1 FROM batch_files WHERE ready_at IS NULL')).toEqual([]);
  });

  it('and is thought dead too early runs beside the next one without harm', async () => {
    const peer = await test.peer();
    try {
      const [one, other] = [test, peer].map(({ app }) => app.get(BatchRunner, { strict: false }));
      const held = gate();
      const before = runner.jobs.length;
      runner.script = async (run) => {
        await held.opened;
        await tell(run);
      };
      const { id } = await startBatch(client, chatLines(12));
      await until(() => runner.jobs.length >= before + 4);
      const key = { tenantId: tenant.id, id: uuid(id) };
      const never = new AbortController().signal;
      const both = Promise.allSettled([one!.run(key, never), other!.run(key, never)]);
      held.open();
      await expectWhole(id, 12);
      await both;
      expect(runner.jobs).toHaveLength(before + 12);
    } finally {
      await peer.stop();
    }
  });

  it('is closed by one of two that write it', async () => {
    const { id } = await startBatch(client, chatLines(4));
    const batches = test.app.get(BatchWriter, { strict: false });
    const row = async () => (await sql<{ id: string }>(test, "SELECT id FROM batches WHERE id = $1 AND status = 'COMPLETED'", [uuid(id)]))[0];
    await until(row, ENDED_WITHIN_MS);
    const [found] = await sql<Record<string, never>>(test, 'SELECT id, tenant_id AS "tenantId", api_key_id AS "apiKeyId", completed, failed, total, expired_at AS "expiredAt" FROM batches WHERE id = $1', [uuid(id)]);
    await batches.write({ ...found, status: 'FINALIZING' } as unknown as Parameters<BatchWriter['write']>[0]);
    await expectWhole(id, 4);
    expect(await sql(test, 'SELECT 1 FROM batch_files WHERE ready_at IS NULL AND deleted_at IS NULL')).toEqual([]);
  });

  it('of which Redis has lost everything asks again for what was lost', async () => {
    await runner.pause();
    const { id } = await startBatch(client, chatLines(5));
    await waiting(4);
    await runner.redis.flushdb();
    await resume(test);
    await expectWhole(id, 5);
  });

  it('whose queue takes nothing for a while waits for it', async () => {
    const queue = test.app.get(GenerationQueue, { strict: false });
    const add = queue.add.bind(queue);
    let refused = 0;
    queue.add = (job) => (refused++ < 3 ? Promise.reject(new Error('away')) : add(job));
    const { id } = await startBatch(client, chatLines(3));
    await expectWhole(id, 3);
    expect(refused).toBeGreaterThanOrEqual(3);
  });
});
