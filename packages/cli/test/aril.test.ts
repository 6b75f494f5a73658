import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalHub } from '@aril/local-services/local-hub';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatBytes, formatNanoUsd } from '../src/output.js';
import { ADAPTERS, OTHER_MODELS_ADAPTER, type RunningApi, startApi } from './api.js';

const COMMAND = fileURLToPath(new URL('../bin/aril.mjs', import.meta.url));
const [A, B] = [join(ADAPTERS, 'a'), join(ADAPTERS, 'b')];
const FILES = ['adapter_config.json', 'adapter_model.safetensors'];
const filesIn = (folder: string) => Object.fromEntries(FILES.map((name) => [name, readFileSync(join(folder, name))]));

describe('aril', () => {
  let hub: LocalHub;
  let api: RunningApi;
  let environment: Record<string, string>;

  beforeAll(async () => {
    hub = await LocalHub.start();
    hub.put('acme/lora', filesIn(A));
    hub.put('acme/secret', filesIn(A), { private: true });
    hub.put('acme/other', filesIn(OTHER_MODELS_ADAPTER));
    api = await startApi(hub.url);
  });
  beforeEach(async () => {
    environment = { ARIL_URL: `${api.url}/`, ARIL_API_KEY: await api.apiKey() };
  });
  afterAll(async () => {
    await api.stop();
    await hub.stop();
  });

  function aril(args: string[], more: Record<string, string | undefined> = {}): Promise<{ code: number; out: string; err: string }> {
    const env = { PATH: process.env['PATH'], ...environment, ...more };
    return new Promise((resolve) => {
      execFile(process.execPath, [COMMAND, ...args], { env }, (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }));
    });
  }
  async function json<T>(...args: string[]): Promise<T> {
    const { code, out, err } = await aril([...args, '--json']);
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out) as T;
  }
  const list = () => json<{ slug: string; status: string; files: { sha256: string }[] }[]>('adapters', 'list');

  it('pushes an adapter, lists it, and deletes it', async () => {
    const pushed = await aril(['adapters', 'push', A, '--name', 'first', '--description', 'From CI']);
    expect(pushed).toMatchObject({ code: 0, out: expect.stringMatching(/^first is ready \(SHA-256 [0-9a-f]{64}\)\n$/) as string });
    expect(await list()).toMatchObject([{ slug: 'first', status: 'READY', description: 'From CI', baseModel: { id: 'stories260k' }, source: null }]);
    const { out } = await aril(['adapters', 'list']);
    expect(out).toMatch(/^NAME\s+STATUS\s+BASE MODEL\s+SIZE\s+CREATED\s+FROM\nfirst\s+READY\s+stories260k\s+[\d.]+ KiB\s+\d{4}-\d\d-\d\d\s+upload\n$/);
    expect(await aril(['adapters', 'delete', 'first'])).toMatchObject({ code: 0, out: 'first is deleted\n' });
    expect(await list()).toEqual([]);
    expect(await aril(['adapters', 'delete', 'first'])).toEqual({ code: 1, out: '', err: 'aril: name: there is no adapter "first"\n' });
  });

  it('does nothing where the same files are there already, and refuses to replace others', async () => {
    await json('adapters', 'push', A, '--name', 'same');
    const [before] = await list();
    expect(await aril(['adapters', 'push', A, '--name', 'same'])).toMatchObject({ code: 0, out: expect.stringContaining('is ready already') as string });
    const other = await aril(['adapters', 'push', B, '--name', 'same']);
    expect(other).toMatchObject({ code: 1, out: '', err: expect.stringContaining('there is an adapter "same" already') as string });
    expect(await list()).toEqual([before]);
  });

  it('goes on with an upload that broke off', async () => {
    const files = FILES.map((name) => ({ name, bytes: readFileSync(join(A, name)).length }));
    const query = 'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { id } } }';
    const input = { slug: 'broken-off', baseModelId: 'stories260k', files };
    await fetch(`${api.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${environment['ARIL_API_KEY']}` }, body: JSON.stringify({ query, variables: { input } }) });
    expect(await json('adapters', 'push', A, '--name', 'broken-off')).toMatchObject({ status: 'READY' });
    expect(await list()).toHaveLength(1);
  });

  it("ends with 3 for another model's adapter, and says what does not fit", async () => {
    const { code, out, err } = await aril(['adapters', 'push', OTHER_MODELS_ADAPTER, '--name', 'pirate', '--base-model', 'stories260k']);
    expect([code, out]).toEqual([3, '']);
    expect(err).toMatch(/the adapter "pirate" was refused:\n {2}.*found .*expected/);
  });

  it('imports an adapter from the hub', async () => {
    const done = await aril(['adapters', 'import', 'acme/lora', '--name', 'imported']);
    const commit = hub.repositories.get('acme/lora')?.revisions['main'];
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining(`imported is ready, of commit ${commit}`) as string });
    expect((await aril(['adapters', 'list'])).out).toContain(`acme/lora@${commit?.slice(0, 12)}`);
    expect(await json('adapters', 'import', 'acme/lora', '--name', 'not-waited-for', '--no-wait')).toMatchObject({ slug: 'not-waited-for' });
  });

  it('gives the hub’s token by the name of a variable', async () => {
    const args = ['adapters', 'import', 'acme/secret', '--name', 'secret'];
    const without = await aril(args);
    expect(without).toMatchObject({ code: 3, err: expect.stringContaining('no public model repository "acme/secret"') as string });
    expect(await aril([...args, '--token-from', 'HF_TOKEN'])).toMatchObject({ code: 2, err: expect.stringContaining('found nothing in HF_TOKEN') as string });
    expect(await aril([...args, '--token-from', 'HF_TOKEN'], { HF_TOKEN: hub.token })).toMatchObject({ code: 0 });
  });

  it('tells what was used', async () => {
    const { out } = await aril(['usage', '--from', '2026-01-01', '--by', 'day']);
    expect(out).toMatch(/^DAY\s+REQUESTS\s+FAILED\s+PROMPT\s+CACHED\s+COMPLETION\s+COST\ntotal\s+0\s+0\s+0\s+0\s+0\s+\$0\.00\n$/);
    expect(await json('usage')).toMatchObject({ totals: { requests: 0, amount: '0' }, groups: [] });
  });

  describe('says what is wrong', () => {
    let empty: string;
    beforeAll(() => void (empty = mkdtempSync(join(tmpdir(), 'aril-cli-'))));
    afterAll(() => rmSync(empty, { recursive: true }));

    it.each([
      ['no address', ['adapters', 'list'], { ARIL_URL: undefined }, 2, 'ARIL_URL: expected the address of the API'],
      ['no key', ['adapters', 'list'], { ARIL_API_KEY: undefined }, 2, 'ARIL_API_KEY: expected an API key'],
      ['a wrong key', ['adapters', 'list'], { ARIL_API_KEY: 'aril_nobody' }, 1, 'API key'],
      ['nobody there', ['adapters', 'list'], { ARIL_URL: 'http://127.0.0.1:4' }, 1, 'cannot be reached'],
      ['no such command', ['adapters', 'drop'], {}, 2, 'unknown command'],
      ['no name', ['adapters', 'push', A], {}, 2, "required option '--name <slug>' not specified"],
      ['a name that is none', ['adapters', 'push', A, '--name', 'No Name'], {}, 1, 'slug: expected'],
      ['another base model', ['adapters', 'push', A, '--name', 'ab', '--base-model', 'none'], {}, 1, 'baseModelId: found "none", expected one of'],
      ['a repository that is none', ['adapters', 'import', 'lora', '--name', 'ab'], {}, 1, 'source.repository: expected organization/name'],
      ['a day that is none', ['usage', '--from', '2026-13-01'], {}, 2, 'expected a day'],
      ['days the wrong way round', ['usage', '--from', '2026-02-01', '--to', '2026-01-01'], {}, 2, '--to: found'],
    ])('%s', async (_, args, more, code, sentence) => {
      const found = await aril(args, more);
      expect([found.code, found.out]).toEqual([code, '']);
      expect(found.err).toContain(sentence);
    });

    it('a folder without the files, and one with a pickle', async () => {
      expect(await aril(['adapters', 'push', empty, '--name', 'ab'])).toMatchObject({ code: 2, err: expect.stringContaining('adapter_config.json: found no such file') as string });
      cpSync(join(A, 'adapter_config.json'), join(empty, 'adapter_config.json'));
      writeFileSync(join(empty, 'adapter_model.bin'), 'pickle');
      expect(await aril(['adapters', 'push', empty, '--name', 'ab'])).toMatchObject({ code: 2, err: expect.stringContaining('save_pretrained()') as string });
      expect(await list()).toEqual([]);
    });
  });

  it('says itself what it can do', async () => {
    expect(await aril(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('ARIL_API_KEY') as string });
    expect((await aril(['adapters', 'import', '--help'])).out).toContain('--token-from');
  });
});

describe('amounts', () => {
  it.each([
    ['0', '$0.00'],
    ['1', '$0.000000001'],
    ['1500000000', '$1.50'],
    ['12345678901', '$12.345678901'],
  ])('%s nano-dollars are %s', (nano, text) => expect(formatNanoUsd(nano)).toBe(text));
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [512 * 1024 * 1024, '512.0 MiB'],
  ])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});
