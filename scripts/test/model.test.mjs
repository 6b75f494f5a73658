import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { provideWeights } from '../lib/model.mjs';

const bytes = randomBytes(300_000);
const weightsFrom = (...urls) => ({
  file: 'weights.gguf',
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  sources: urls.map((url) => ({ kind: 'url', url })),
});

let dir, server, base, requests, answer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aril-model-'));
  requests = [];
  answer = (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from ? 206 : 200).end(bytes.subarray(from));
  };
  server = createServer((request, response) => {
    requests.push(request.headers.range ?? null);
    answer(request, response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}/weights.gguf`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

const settings = (more = {}) => ({
  repository: dir,
  logs: join(dir, 'logs'),
  cache: join(dir, 'cache'),
  modelPath: null,
  ...more,
});
const provide = (weights, more) => provideWeights(settings(more), weights, () => {});

describe('provideWeights', () => {
  it('fetches once and keeps the file', async () => {
    const path = await provide(weightsFrom(base));
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(await provide(weightsFrom(base))).toBe(path);
    expect(requests).toEqual([null]);
  });

  it('continues what an interrupted download left', async () => {
    mkdirSync(join(dir, 'cache', 'models'), { recursive: true });
    writeFileSync(join(dir, 'cache', 'models', 'weights.gguf.part'), bytes.subarray(0, 100_000));
    const path = await provide(weightsFrom(base));
    expect(requests).toEqual(['bytes=100000-']);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('fetches again what is damaged in the cache', async () => {
    const path = await provide(weightsFrom(base));
    const damaged = Buffer.from(bytes);
    damaged[5] ^= 1;
    writeFileSync(path, damaged);
    await provide(weightsFrom(base));
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('goes on to the next source when one fails, and keeps nothing wrong', async () => {
    const good = answer;
    answer = (request, response) =>
      requests.length === 1 ? response.writeHead(200).end('not the weights') : good(request, response);
    const path = await provide(weightsFrom(base, `${base}?second`));
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('says what each source did when none worked', async () => {
    answer = (_request, response) => response.writeHead(503).end();
    await expect(provide(weightsFrom(base))).rejects.toMatchObject({
      detail: expect.stringContaining('503'),
      fix: expect.stringContaining('MODEL_PATH'),
    });
    expect(existsSync(join(dir, 'cache', 'models', 'weights.gguf'))).toBe(false);
  });

  it('takes a file that is given, if it is the right one', async () => {
    const modelPath = join(dir, 'mine.gguf');
    writeFileSync(modelPath, bytes);
    expect(await provide(weightsFrom(base), { modelPath })).toBe(modelPath);
    writeFileSync(modelPath, bytes.subarray(1));
    await expect(provide(weightsFrom(base), { modelPath })).rejects.toThrow(
      /it has 299999 bytes; expected 300000/,
    );
    await expect(provide(weightsFrom(base), { modelPath: join(dir, 'none') })).rejects.toThrow(
      /does not exist/,
    );
    expect(requests).toEqual([]);
  });
});
