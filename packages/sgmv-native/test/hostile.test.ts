/** Callers that pass anything at all, and that leave at any time: an error of ours, never a crash, a hang or a leak. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createEngine,
  EngineError,
  inspectAdapter,
  readModelShape,
  sgmvExpand,
  sgmvShrink,
  type FactorSegment,
} from '../lib/index.js';
import { packageFolder, stories, storiesAdapter } from './places.js';
import { Recorder } from './recorder.js';

const without = (): unknown => Object.create(null);
const throwing = (): unknown => ({
  toString() {
    throw new Error('on purpose');
  },
});
class Endless extends Int32Array {
  override *[Symbol.iterator](): ArrayIterator<number> {
    for (;;) yield 1;
  }
}
function detached<T extends Int32Array | Float32Array | Uint8Array>(array: T): T {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

/** Nothing that any argument of ours can be. */
const NONSENSE: [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['NaN', () => Number.NaN],
  ['-1', () => -1],
  ['a fraction', () => 0.5],
  ['infinity', () => Infinity],
  ['a bigint', () => 10n],
  ['a symbol', () => Symbol('x')],
  ['a function', () => () => 1],
  ['an object without prototype', without],
  ['an object that throws', throwing],
  ['an array of nonsense', () => [without(), Symbol('x'), throwing()]],
  ['a sparse array', () => new Array<number>(10_000)],
  ['a date', () => new Date(0)],
  ['a promise', () => Promise.resolve('x')],
  ['a proxy', () => new Proxy({}, { get: () => 'x' })],
];

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return 'none';
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(EngineError);
    return (error as EngineError).code;
  }
}

describe('arguments', () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await Recorder.open({ model: stories });
  });
  afterAll(async () => expect(await recorder.close()).toEqual([]));

  const submit = (request: unknown): unknown => recorder.engine.submit(request as never);
  const sound = { id: 'x', promptTokens: [1], maxTokens: 5 };

  test.each(NONSENSE)('%s is refused wherever it is passed', async (_, make) => {
    const { engine } = recorder;
    const calls: (() => unknown)[] = [
      () => submit(make()),
      () => engine.cancel(make() as never),
      () => engine.loadAdapter(make() as never, storiesAdapter('a')),
      () => engine.loadAdapter('a', make() as never),
      () => engine.unloadAdapter(make() as never),
      () => createEngine(make() as never),
      () => createEngine({ model: make() } as never),
      () => inspectAdapter(make() as never, stories),
      () => inspectAdapter(storiesAdapter('a'), make() as never),
      () => readModelShape(make() as never),
      ...['id', 'promptTokens'].map((field) => () => submit({ ...sound, [field]: make() })),
    ];
    for (const call of calls) expect(await codeOf(call), String(call)).toBe('bad_argument');
  });

  test.each(NONSENSE.filter(([name]) => name !== 'undefined'))(
    '%s is refused in every field of a request and of the options',
    async (_, make) => {
      const fields = ['adapter', 'stop', 'stopTokens', 'resumeTokens', 'predictionTokens', 'logits', 'ignoreEos'];
      for (const field of [...fields, 'maxTokens', 'toString', '__proto__x'])
        expect(await codeOf(() => submit({ ...sound, [field]: make() })), field).toBe('bad_argument');
      // Objects without fields of their own are sampling options, and a fraction is one of their values.
      for (const field of ['temperature', 'topK', 'topP', 'minP', 'seed'])
        for (const sampling of [make(), { [field]: make() }])
          expect(['bad_argument', 'none']).toContain(
            await codeOf(() => recorder.run({ ...sound, sampling } as never)),
          );
      for (const field of [
        'kvBlockSize',
        'memoryBytes',
        'kvBytes',
        'adapterBytes',
        'maxBatch',
        'maxStepTokens',
        'draftTokens',
        'threads',
        'isa',
        'vocabulary',
      ])
        expect(await codeOf(() => createEngine({ model: stories, [field]: make() } as never)), field).toBe(
          'bad_argument',
        );
    },
  );

  test('paths with a NUL character do not reach the system', async () => {
    const folder = storiesAdapter('a');
    for (const call of [
      () => recorder.engine.loadAdapter('nul', `${folder}\0/else`),
      () => inspectAdapter(`${folder}\0`, stories),
      () => inspectAdapter(folder, `${stories}\0`),
      () => readModelShape(`${stories}\0`),
      () => createEngine({ model: `${stories}\0` }),
    ])
      expect(await codeOf(call), String(call)).toBe('bad_argument');
  });

  test('tokens: detached, shared, endless, full of holes, and huge', async () => {
    const refused = (promptTokens: unknown): Promise<string> =>
      codeOf(() => submit({ ...sound, promptTokens }));
    expect(await refused(detached(Int32Array.of(1, 2)))).toBe('bad_argument');
    // eslint-disable-next-line no-sparse-arrays
    expect(await refused([1, , 2])).toBe('bad_argument');
    expect(await refused([1, { valueOf: () => 2 }])).toBe('bad_argument');
    expect(await refused(new Array<number>(3_000_000).fill(1))).toBe('context_too_long');
    expect(await refused(new Int32Array(30_000_000))).toBe('context_too_long');
    expect(await refused(Int32Array.of(-(2 ** 31)))).toBe('bad_argument');
    const shared = new Int32Array(new SharedArrayBuffer(8)).fill(7);
    const alone = await recorder.run({ promptTokens: [7, 7], maxTokens: 5 });
    expect((await recorder.run({ promptTokens: shared, maxTokens: 5 })).tokens).toEqual(alone.tokens);
    // The numbers count, not what the array says of itself.
    expect((await recorder.run({ promptTokens: Endless.of(7, 7), maxTokens: 5 })).tokens).toEqual(
      alone.tokens,
    );
  });

  test('a prototype is no place for fields', async () => {
    const request = JSON.parse(
      '{"id":"x","promptTokens":[1],"maxTokens":5,"__proto__":{"adapter":"nobody"}}',
    ) as unknown;
    expect(await codeOf(() => submit(request))).toBe('bad_argument');
  });

  test('methods on another receiver, and an engine that was never opened', () => {
    const raw = (
      recorder.engine as unknown as { engine: { constructor: new () => Record<string, () => unknown> } }
    ).engine;
    const unopened = new raw.constructor();
    for (const name of ['submit', 'loadAdapter', 'unloadAdapter', 'adapters', 'stats', 'model', 'close']) {
      expect(() => unopened[name]?.()).toThrow('closed');
      expect(() => unopened[name]?.call({})).toThrow();
    }
  });
});

describe('the operators', () => {
  const segment: FactorSegment = { tokenBegin: 0, tokenEnd: 1, rank: 2, data: new Float32Array(8) };
  const shrink = (x: unknown, width: unknown, segments: unknown, v: unknown, options?: unknown): void =>
    sgmvShrink(x as never, width as never, segments as never, v as never, options as never);
  const x = new Float32Array(4);
  const v = new Float32Array(2);

  test('a sound call works', () => expect(shrink(x, 4, [segment], v)).toBeUndefined());

  test.each([
    ...NONSENSE,
    ['a detached array', () => detached(new Float32Array(4))],
    ['another kind of array', () => new Uint8Array(16)],
    ['a huge number', () => 2 ** 53],
    ['a number beyond 64 bits', () => 1e300],
  ] as [string, () => unknown][])('%s in any place is refused', (_, make) => {
    expect(() => shrink(make(), 4, [segment], v)).toThrow();
    expect(() => shrink(x, make(), [segment], v)).toThrow();
    expect(() => shrink(x, 4, make(), v)).toThrow();
    expect(() => shrink(x, 4, [make()], v)).toThrow();
    expect(() => shrink(x, 4, [segment], make())).toThrow();
    for (const field of ['tokenBegin', 'tokenEnd', 'rank', 'data'])
      expect(() => shrink(x, 4, [{ ...segment, [field]: make() }], v), field).toThrow();
    expect(() => sgmvExpand(v, 4, [{ ...segment, scale: make() as never, tokenEnd: 9 }], x)).toThrow();
  });
});

describe('leaving', () => {
  const index = new URL('../dist/index.js', import.meta.url).href;
  const setup = `import { createEngine } from ${JSON.stringify(index)};
    const stories = ${JSON.stringify(stories)}, folders = ${JSON.stringify([storiesAdapter('a'), storiesAdapter('b')])};
    const open = (options) => createEngine({ model: stories, kvBytes: 1 << 20, threads: 1, ...options });
    const request = (id, adapter) => ({ id, promptTokens: [1, 2, 3], maxTokens: 300, ignoreEos: true, adapter });
    const storm = (engine) => {
      const settled = [];
      for (let i = 0; i < 40; i++) {
        settled.push(engine.loadAdapter('a' + i, folders[i % 2]).then(() => engine.submit(request('with' + i, 'a' + i))).catch((e) => e.code));
        engine.submit(request('base' + i));
        if (i % 3 === 0) engine.cancel('base' + (i - 1));
      }
      return Promise.all(settled);
    };`;
  const run = (code: string): ReturnType<typeof spawnSync> => {
    const args = ['--expose-gc', '--input-type=module', '-e', setup + code];
    const result = spawnSync(process.execPath, args, {
      cwd: packageFolder,
      encoding: 'utf8',
      timeout: 100_000,
    });
    expect({ status: result.status, signal: result.signal }, String(result.stderr)).toEqual({
      status: 0,
      signal: null,
    });
    return result;
  };

  test('close() in a storm of loads and requests: every load settles, every request ends once', () => {
    const result = run(`
      for (let round = 0; round < 10; round++) {
        const engine = await open({ adapterBytes: 800_000 });
        const ends = new Map();
        engine.onEvents = (events) => { for (const e of events) if (e.type === 'end') ends.set(e.id, (ends.get(e.id) ?? 0) + 1); };
        const settled = storm(engine);
        await new Promise((resolve) => setTimeout(resolve, round * 3));
        const closed = engine.close();
        const codes = new Set((await settled).filter(Boolean));
        await closed;
        for (const code of codes) if (!['closed', 'adapter_unknown'].includes(code)) throw new Error(code);
        for (let i = 0; i < 40; i++) if (ends.get('base' + i) !== 1) throw new Error('base' + i + ' ended ' + ends.get('base' + i) + ' times');
        for (const [id, count] of ends) if (count !== 1) throw new Error(id + ' ended ' + count + ' times');
      }
      console.log('fine');`);
    expect(result.stdout).toContain('fine');
  });

  test.each([0, 1, 5, 20])('process.exit %i ms into a storm', (ms) => {
    run(`const engine = await open(); storm(engine); setTimeout(() => process.exit(0), ${ms});`);
  });

  test('a worker terminated in a storm', () => {
    const result = run(`
      import { Worker } from 'node:worker_threads';
      const body = ${JSON.stringify(`${setup} const engine = await open(); storm(engine); (await import('node:worker_threads')).parentPort.postMessage(1);`)};
      for (let i = 0; i < 8; i++) {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(body)));
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
        await new Promise((resolve) => setTimeout(resolve, i));
        await worker.terminate();
      }
      console.log('fine');`);
    expect(result.stdout).toContain('fine');
  });

  test('a thousand engines leave no memory behind', () => {
    const result = run(`
      const cycle = async () => {
        const engine = await open();
        await engine.loadAdapter('a', folders[0]);
        const end = new Promise((resolve) => (engine.onEvents = (events) => { if (events.some((e) => e.type === 'end')) resolve(); }));
        engine.submit({ ...request('x', 'a'), maxTokens: 2 });
        await end;
        await engine.close();
      };
      const many = async (count) => { for (let i = 0; i < count; i++) await cycle(); gc(); return process.memoryUsage().rss; };
      const early = await many(200);
      console.log((await many(800)) - early);`);
    // One model is a megabyte, and one engine's cache another: eight hundred of either would show.
    expect(Number(result.stdout)).toBeLessThan(64 << 20);
  });
});
