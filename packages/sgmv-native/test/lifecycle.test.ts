/** Cancelling, closing, refusing, and leaving without saying goodbye. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, EngineError, type GenerationRequest } from '../lib/index.js';
import { goldenFolder, packageFolder, stories, storiesAdapter } from './places.js';
import { Recorder } from './recorder.js';

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return 'none';
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return (error as EngineError).code;
  }
}

describe('cancel', () => {
  test('in the middle of a prompt and while waiting; the others go on', async () => {
    const recorder = await Recorder.open({ model: stories, maxBatch: 2, maxStepTokens: 2 });
    const prompt = Array.from({ length: 400 }, (_, i) => (i % 500) + 3);
    const alone = await recorder.run({ promptTokens: [1, 5, 9], maxTokens: 60, ignoreEos: true });
    // The model is so small that on a busy machine a request may end before its cancellation arrives; not each time.
    let caught = 0;
    for (let i = 0; i < 10; i++) {
      const prefilling = recorder.start({ promptTokens: prompt, maxTokens: 50 });
      const decoding = recorder.start({ promptTokens: [1, 5, 9], maxTokens: 60, ignoreEos: true });
      const waiting = recorder.start({ promptTokens: [1], maxTokens: 5 });
      for (const id of [prefilling.id, waiting.id, 'nobody']) recorder.engine.cancel(id);
      const { end, tokens } = await prefilling.whole;
      expect(end).toMatchObject({ promptTokens: 400, completionTokens: tokens.length });
      if (end.finishReason === 'cancelled' && (await waiting.whole).end.finishReason === 'cancelled')
        caught++;
      expect((await decoding.whole).tokens).toEqual(alone.tokens);
      recorder.engine.cancel(decoding.id);
    }
    expect(caught).toBeGreaterThan(0);
    expect(await recorder.close()).toEqual([]);
  });
});

describe('close', () => {
  test('under load ends everything as cancelled; afterwards every call says closed', async () => {
    const recorder = await Recorder.open({ model: stories });
    const runs = Array.from({ length: 100 }, () =>
      recorder.start({ promptTokens: [1, 2, 3], maxTokens: 400, ignoreEos: true }),
    );
    await recorder.tokensOf(runs[0]?.id ?? '', 2);
    const loading = recorder.engine
      .loadAdapter('a', storiesAdapter('a'))
      .catch((error: EngineError) => error.code);
    const closing = recorder.engine.close();
    const ends = await Promise.all(runs.map(async ({ whole }) => (await whole).end.finishReason));
    expect(ends.filter((reason) => reason === 'cancelled').length).toBeGreaterThan(30);
    expect(ends.every((reason) => reason === 'cancelled' || reason === 'length')).toBe(true);
    await closing;
    expect([undefined, 'closed']).toContain(await loading);
    await recorder.engine.close();
    recorder.engine.cancel('r1');
    const late = { id: 'late', promptTokens: [1], maxTokens: 1 };
    expect(await codeOf(() => recorder.engine.submit(late))).toBe('closed');
    expect(await codeOf(() => recorder.engine.loadAdapter('b', storiesAdapter('b')))).toBe('closed');
    expect(await codeOf(() => recorder.engine.stats())).toBe('closed');
    expect(recorder.faults).toEqual([]);
  });

  test('many engines, opened and closed, give their memory back', async () => {
    const open = () => createEngine({ model: stories, kvBytes: 64 << 20 });
    for (let i = 0; i < 5; i++) await (await open()).close();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 30; i++) {
      const engine = await open();
      engine.submit({ id: 'x', promptTokens: [1, 2], maxTokens: 20 });
      await engine.close();
    }
    // Thirty caches of 64 MiB would show.
    expect(process.memoryUsage().rss - before).toBeLessThan(400 << 20);
  });
});

describe('a process that does not close its engine', () => {
  const index = new URL('../dist/index.js', import.meta.url).href;
  const run = (code: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      cwd: packageFolder,
      encoding: 'utf8',
      timeout: 60_000,
    });
  const start = `import { createEngine } from ${JSON.stringify(index)};
    const engine = await createEngine({ model: ${JSON.stringify(stories)}, kvBytes: 32 << 20 });`;
  const submit = `engine.submit({ id: 'a', promptTokens: [1, 2], maxTokens: 500, ignoreEos: true });`;

  test.each([
    ['ends by itself when idle', `${start}`, 0],
    [
      'waits for what runs',
      `${start} engine.onEvents = (events) => { if (events.some((e) => e.type === 'end')) console.log('ended'); }; ${submit}`,
      0,
    ],
    ['may exit in the middle', `${start} ${submit} engine.onEvents = () => process.exit(3);`, 3],
    ['may die of an exception', `${start} ${submit} throw new Error('on purpose');`, 1],
    [
      'may exit while it loads',
      `${start} createEngine({ model: ${JSON.stringify(stories)} }); process.exit(4);`,
      4,
    ],
    ['may exit while it closes', `${start} ${submit} engine.close(); process.exit(5);`, 5],
  ])('%s', (_, code, status) => {
    const result = run(code);
    expect({ status: result.status, signal: result.signal }, result.stderr).toEqual({ status, signal: null });
    if (code.includes("'ended'")) expect(result.stdout).toContain('ended');
  });

  test('worker threads have engines of their own and may be terminated', () => {
    const worker = `${start} ${submit} engine.onEvents = (events) => parentPort.postMessage(events.length);`;
    const code = `import { Worker } from 'node:worker_threads'; import { createEngine } from ${JSON.stringify(index)};
      const source = 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(`import { parentPort } from 'node:worker_threads'; ${worker}`)});
      const own = await createEngine({ model: ${JSON.stringify(stories)}, kvBytes: 32 << 20 });
      await Promise.all([0, 1, 2, 3].map(async () => {
        const worker = new Worker(new URL(source));
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
        await worker.terminate();
      }));
      const end = new Promise((resolve) => (own.onEvents = (events) => { if (events.some((e) => e.type === 'end')) resolve(); }));
      own.submit({ id: 'own', promptTokens: [1], maxTokens: 5 });
      await end; console.log('fine');`;
    const result = run(code);
    expect({ status: result.status, signal: result.signal }, result.stderr).toEqual({
      status: 0,
      signal: null,
    });
    expect(result.stdout).toContain('fine');
  });

  test('the event loop stays free while the engine works', () => {
    const code = `${start}
      let worst = 0, last = performance.now();
      const timer = setInterval(() => { worst = Math.max(worst, performance.now() - last); last = performance.now(); }, 5);
      engine.onEvents = (events) => { if (events.some((e) => e.type === 'end' && e.id === 'r0')) { clearInterval(timer); console.log(worst); engine.close(); } };
      for (let i = 0; i < 16; i++) engine.submit({ id: 'r' + i, promptTokens: [1, 2], maxTokens: 400, ignoreEos: true });`;
    // Generous, since other work shares the machine: a blocking engine would hold it for the whole run.
    expect(
      Number(
        execFileSync(process.execPath, ['--input-type=module', '-e', code], {
          cwd: packageFolder,
          encoding: 'utf8',
        }),
      ),
    ).toBeLessThan(250);
  });
});

describe('refusals', () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await Recorder.open({ model: stories });
  });
  afterAll(async () => expect(await recorder.close()).toEqual([]));

  const refusal = (change: Record<string, unknown>): EngineError => {
    try {
      recorder.engine.submit({ id: 'x', promptTokens: [1], maxTokens: 5, ...change } as GenerationRequest);
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      return error as EngineError;
    }
    throw new Error(`${JSON.stringify(change)} was accepted`);
  };

  test.each([
    [{ id: '' }, 'id'],
    [{ promptTokens: [] }, 'promptTokens'],
    [{ promptTokens: [1, 512] }, 'promptTokens[1]'],
    [{ promptTokens: [1.5] }, 'promptTokens'],
    [{ promptTokens: 'Once' }, 'promptTokens'],
    [{ resumeTokens: [-1] }, 'resumeTokens[0]'],
    [{ maxTokens: 0 }, 'maxTokens'],
    [{ maxTokens: 2 ** 31 }, 'maxTokens'],
    [{ sampling: { temperature: -1 } }, 'sampling.temperature'],
    [{ sampling: { temperature: Number.NaN } }, 'sampling.temperature'],
    [{ sampling: { temperature: 1e300 } }, 'sampling.temperature'],
    [{ sampling: { topP: 0 } }, 'sampling.topP'],
    [{ sampling: { topP: 1e-300 } }, 'sampling.topP'],
    [{ sampling: { minP: 1.1 } }, 'sampling.minP'],
    [{ sampling: { topK: -1 } }, 'sampling.topK'],
    [{ sampling: { seed: 2 ** 32 } }, 'sampling.seed'],
    [{ sampling: { heat: 1 } }, 'heat'],
    [{ stop: ['x'] }, 'stop'],
    [{ stop: [''] }, 'stop'],
    [{ stopTokens: [512] }, 'stopTokens[0]'],
    [{ logits: 'all' }, 'logits'],
    [{ sampling: { repetitionPenalty: 0 } }, 'sampling.repetitionPenalty'],
    [{ sampling: { frequencyPenalty: 2.5 } }, 'sampling.frequencyPenalty'],
    [{ sampling: { presencePenalty: -3 } }, 'sampling.presencePenalty'],
    [{ sampling: { logitBias: { 5: 101 } } }, 'sampling.logitBias.5'],
    [{ sampling: { logitBias: { five: 1 } } }, 'sampling.logitBias.five'],
    [{ sampling: { logitBias: { 512: 1 } } }, 'sampling.logitBias.512'],
    // 5 in 32 bits.
    [{ sampling: { logitBias: { 4294967301: 1 } } }, 'sampling.logitBias.4294967301'],
    [{ sampling: { minTokens: -1 } }, 'sampling.minTokens'],
    [{ n: 0 }, 'n: found 0'],
    [{ n: 17 }, 'n: found 17'],
    [{ n: 2, resumeTokens: [1] }, 'resumeTokens: found one list of tokens; expected 2'],
    [{ n: 2, resumeTokens: [[1], [2], [3]] }, 'resumeTokens: found 3 lists; expected 2'],
    [{ n: 2, resumeTokens: [[1], [512]] }, 'resumeTokens[1][0]'],
    [{ logprobs: 21 }, 'logprobs'],
    [{ promptLogprobs: -1 }, 'promptLogprobs'],
    [{ cacheSalt: 5 }, 'cacheSalt'],
    [{ temperature: 1 }, 'temperature'],
  ])('%o names the field', (change, field) => {
    const error = refusal(change);
    expect(error.code).toBe('bad_argument');
    expect(error.message).toContain(field);
  });

  test('too long for the context, and an adapter nobody loaded', () => {
    const long = refusal({ promptTokens: new Array<number>(512).fill(1) });
    expect(long.code).toBe('context_too_long');
    expect(long.message).toMatch(/512 tokens.*511/);
    expect(refusal({ adapter: 'nobody' }).code).toBe('adapter_unknown');
  });

  test.each([
    [{ model: '/nowhere' }, 'model_not_found'],
    [{ model: '' }, 'bad_argument'],
    [{ model: stories, maxBatch: 0 }, 'bad_argument'],
    [{ model: stories, maxStepTokens: 3, maxBatch: 4 }, 'bad_argument'],
    [{ model: stories, isa: 'mmx' }, 'bad_argument'],
    [{ model: stories, kvBytes: 1 }, 'bad_argument'],
    [{ model: stories, kvBytes: Number.MAX_SAFE_INTEGER, maxBatch: 4096, kvBlockSize: 1024 }, 'none'],
    [{ model: stories, vocabulary: ['a'] as never }, 'bad_argument'],
  ])('createEngine(%o) → %s', async (options, code) => {
    const create = async (): Promise<void> => await (await createEngine(options)).close();
    // A huge cache may be more than the machine has; then that is the answer, not a crash.
    expect(code === 'none' ? ['none', 'out_of_memory'] : [code]).toContain(await codeOf(create));
  });
});

describe('adapters', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sgmv-adapters-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a bad one fails only its own; the least recently used makes room; names can change hands', async () => {
    const broken = join(folder, 'broken');
    cpSync(storiesAdapter('a'), broken, { recursive: true });
    writeFileSync(join(broken, 'adapter_model.safetensors'), 'not tensors');
    const first = await Recorder.open({ model: stories });
    await first.engine.loadAdapter('a', storiesAdapter('a'));
    const bytes = first.engine.stats().adapterBytes;
    await first.engine.loadAdapter('b', storiesAdapter('b'));
    const both = first.engine.stats().adapterBytes;
    await first.close();

    const recorder = await Recorder.open({ model: stories, adapterBytes: both - 1 });
    const run = (adapter?: string) =>
      recorder.run({ promptTokens: [1, 400], maxTokens: 12, adapter, ignoreEos: true });
    const base = await run();
    const [good, bad, wrong] = await Promise.all([
      codeOf(() => recorder.engine.loadAdapter('a', storiesAdapter('a'))),
      codeOf(() => recorder.engine.loadAdapter('broken', broken)),
      codeOf(() =>
        recorder.engine.loadAdapter('other model', join(goldenFolder('llama2'), 'adapters', 'all-r8')),
      ),
    ]);
    expect([good, bad, wrong]).toEqual(['none', 'adapter_refused', 'adapter_refused']);
    expect(await codeOf(() => recorder.engine.loadAdapter('none', join(folder, 'none')))).toMatch(
      /^adapter_/,
    );
    const a = await run('a');
    expect(a.tokens).not.toEqual(base.tokens);
    expect(recorder.engine.stats()).toMatchObject({ adaptersResident: 1, adapterBytes: bytes });
    await recorder.engine.loadAdapter('b', storiesAdapter('b'));
    expect(recorder.engine.adapters().map(({ name }) => name)).toEqual(['b']);
    expect(await codeOf(() => run('a'))).toBe('adapter_unknown');
    expect(recorder.engine.unloadAdapter('b')).toBe(true);
    expect(recorder.engine.unloadAdapter('b')).toBe(false);
    await recorder.engine.loadAdapter('b', storiesAdapter('a'));
    expect((await run('b')).tokens).toEqual(a.tokens);
    expect((await run()).tokens).toEqual(base.tokens);
    expect(await recorder.close()).toEqual([]);
  });

  test('adapters and the KV cache share their memory', async () => {
    const prompt = (first: number) => Array.from({ length: 400 }, (_, i) => 3 + ((first * 31 + i * 7) % 500));
    const first = await Recorder.open({ model: stories, memoryBytes: 64 << 20, kvBytes: undefined });
    await first.engine.loadAdapter('a', storiesAdapter('a'));
    const alone = await first.run({ promptTokens: prompt(1), maxTokens: 8, adapter: 'a', ignoreEos: true });
    const { adapterBytes, kvBytes: extent } = first.engine.stats();
    expect(await first.close()).toEqual([]);

    const memoryBytes = 3 * extent + adapterBytes - 1;
    const recorder = await Recorder.open({ model: stories, memoryBytes, kvBytes: undefined });
    const stats = () => recorder.engine.stats();
    expect(stats()).toMatchObject({ memoryBytesMax: memoryBytes, kvBytes: extent, adapterBytesMax: memoryBytes - extent });
    for (let i = 0; stats().kvBytes < 3 * extent; i++) {
      expect(i).toBeLessThan(100);
      await recorder.run({ promptTokens: prompt(i), maxTokens: 1 });
    }
    await recorder.engine.loadAdapter('a', storiesAdapter('a'));
    expect(stats()).toMatchObject({ kvBytes: 2 * extent, adapterBytes });
    const shared = await recorder.run({ promptTokens: prompt(1), maxTokens: 8, adapter: 'a', ignoreEos: true });
    expect(shared.tokens).toEqual(alone.tokens);
    expect(await recorder.close()).toEqual([]);
  });

  test('a prefetch loads what is to be used next, gives up when there is no room, and rejects bad files', async () => {
    const recorder = await Recorder.open({ model: stories });
    const { engine } = recorder;
    expect(await engine.prefetchAdapter('a', storiesAdapter('a'))).toBe(true);
    expect(engine.adapters()).toMatchObject([{ name: 'a', pinned: false }]);
    expect(await codeOf(() => engine.prefetchAdapter('none', join(folder, 'none')))).toMatch(/^adapter_/);
    const bytes = engine.stats().adapterBytes;
    expect(await recorder.close()).toEqual([]);

    const tight = await Recorder.open({ model: stories, adapterBytes: bytes });
    await tight.engine.loadAdapter('a', storiesAdapter('a'));
    const using = tight.start({ promptTokens: [1, 2], maxTokens: 300, adapter: 'a', ignoreEos: true });
    expect(await tight.engine.prefetchAdapter('second', storiesAdapter('a'))).toBe(false);
    await using.whole;
    expect(await tight.engine.prefetchAdapter('second', storiesAdapter('a'))).toBe(true);
    expect(await tight.close()).toEqual([]);
  });
});
