/** No space left for uploads, or for objects: said clearly, and nothing half-written is ever taken for whole. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LocalHub } from '@aril/local-services/local-hub';
import { type AdapterAnswer, createAdapter, finishAdapter, fixture, tryFinish, upload } from './adapter-fixtures.js';
import { chatLines, ended, ENDED_WITHIN_MS, resultsOf, startBatch, uploadInput } from './batch-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { beginImport, ended as endedImport, until as untilImport } from './import-fixtures.js';
import { openaiClient } from './openai-client.js';
import { gate, ScriptedRunner, tell, until } from './scripted-runner.js';

/** A disk of two MiB; null where this user may not mount one. */
function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'aril-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
}

const disk = smallDisk();

describe.skipIf(!disk)('a full disk', () => {
  const folder = disk ?? '';
  const filler = join(folder, 'filler');
  const files = fixture('b');
  const weights = files['adapter_model.safetensors'];
  let hub: LocalHub;
  let test: TestApp;
  let shop: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    hub = await LocalHub.start();
    test = await startApp({ HUB_URL: hub.url, HUB_RETRY_S: Array(100).fill('1').join(), UPLOADS_DIR: join(folder, 'uploads'), OBJECTS_DIR: join(folder, 'objects') });
    shop = await createTenant(test);
  });
  afterAll(async () => {
    await test.stop();
    await hub.stop();
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  });

  async function leave(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(folder);
    writeFileSync(filler, Buffer.alloc(bavail * bsize - bytes));
  }
  const free = (): void => rmSync(filler, { force: true });
  afterEach(free);

  const send = (method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<Response> =>
    fetch(test.url + path, { method, headers: { 'tus-resumable': '1.0.0', ...shop.key, ...headers }, ...(body && { body: new Uint8Array(body) }) });
  const patch = (path: string, offset: number): Promise<Response> =>
    send('PATCH', path, { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, weights.subarray(offset));

  async function expectWhole({ status, sha256 }: AdapterAnswer): Promise<void> {
    expect(status).toBe('READY');
    const object = join(folder, 'objects/objects/adapters', shop.id, sha256 ?? '', 'adapter_model.safetensors');
    expect(createHash('sha256').update(await readFile(object)).digest('hex')).toBe(createHash('sha256').update(weights).digest('hex'));
  }

  it('for uploads: the client is told to come back, and goes on where it stopped once there is room', async () => {
    const { id } = await createAdapter(test, shop.key, 'first', files);
    await upload(test, shop.key, id, 'adapter_config.json', files['adapter_config.json']);
    const metadata = Object.entries({ adapterId: id, filename: 'adapter_model.safetensors' }).map(([key, value]) => `${key} ${btoa(value)}`);
    const begun = await send('POST', '/uploads', { 'upload-length': String(weights.length), 'upload-metadata': metadata.join(',') });
    const path = begun.headers.get('location') ?? '';
    await leave(8_192);
    const refused = await patch(path, 0);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'OVERLOADED', retryable: true, message: expect.stringContaining('space') as string } });
    expect((await tryFinish(test, shop.key, id)).errors?.[0]?.extensions).toMatchObject({ code: 'ADAPTER_NOT_READY' });
    free();
    const offset = Number((await send('HEAD', path, {})).headers.get('upload-offset'));
    expect(offset).toBeLessThan(weights.length);
    expect((await patch(path, offset)).status).toBe(204);
    await expectWhole(await finishAdapter(test, shop.key, id));
  });

  it('for objects: finishing is refused for now, leaves nothing behind, and succeeds once there is room', async () => {
    const { id } = await createAdapter(test, shop.key, 'second', { ...files, 'adapter_config.json': Buffer.concat([files['adapter_config.json'], Buffer.from(' ')]) });
    await upload(test, shop.key, id, 'adapter_config.json', Buffer.concat([files['adapter_config.json'], Buffer.from(' ')]));
    await upload(test, shop.key, id, 'adapter_model.safetensors', weights);
    await leave(16_384);
    const refused = await tryFinish(test, shop.key, id);
    expect(refused.errors?.[0]).toMatchObject({ message: expect.stringContaining('space') as string, extensions: { code: 'OVERLOADED', retryable: true } });
    expect(readdirSync(join(folder, 'objects/partial'))).toEqual([]);
    free();
    await expectWhole(await finishAdapter(test, shop.key, id));
  });

  it('for files of batches: an upload is refused for now, and an output is written once there is room', async () => {
    const runner = new ScriptedRunner(test);
    const client = openaiClient(test, shop.key);
    client.maxRetries = 0;
    const partial = (): string[] => readdirSync(join(folder, 'objects/partial'));
    const unfinished = (): Promise<unknown[]> => sql(test, 'SELECT 1 FROM batch_files WHERE ready_at IS NULL AND deleted_at IS NULL');
    try {
      const held = gate();
      runner.script = async (run) => {
        await held.opened;
        await tell(run);
      };
      const { id } = await startBatch(client, chatLines(20));
      await until(() => runner.jobs.length > 0);
      await leave(0);
      await expect(uploadInput(client, chatLines(100))).rejects.toMatchObject({ status: 503, code: 'overloaded' });
      held.open();
      await until(async () => (await client.batches.retrieve(id)).status === 'finalizing', ENDED_WITHIN_MS);
      // An attempt to write it has failed.
      await until(async () => (await sql(test, "SELECT 1 FROM batch_files WHERE purpose = 'batch_output' AND deleted_at IS NOT NULL")).length > 0, ENDED_WITHIN_MS);
      expect(partial()).toEqual([]);
      free();
      const { status, output_file_id } = await ended(client, id);
      expect(status).toBe('completed');
      expect((await resultsOf(client, output_file_id)).map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 1)));
      expect(await unfinished()).toEqual([]);
    } finally {
      await runner.close();
    }
  });

  it('for imports: one says what it waits for, and goes on once there is room', async () => {
    const repository = 'acme/third';
    hub.put(repository, { ...files, 'README.md': Buffer.from('third') });
    await leave(4_096);
    const { id } = await beginImport(test, shop.key, 'third', repository);
    await untilImport(test, shop.key, id, ({ importWaitsFor }) => importWaitsFor?.includes('no space left') ?? false);
    free();
    await expectWhole(await endedImport(test, shop.key, id));
  });
});
