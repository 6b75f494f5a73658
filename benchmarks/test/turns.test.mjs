import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEngine } from '@aril/sgmv-native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provideAdapters } from '../random-adapters.mjs';
import { LLAMA_1B, provideRandomModel } from '../random-model.mjs';
import { OURS, engineTurn, runTurn, takeTurns } from '../turns.mjs';
import { randomPrompts } from '../workload.mjs';

const MODEL = fileURLToPath(new URL('../../packages/sgmv-native/test/fixtures/stories260k', import.meta.url));
const ADAPTERS = ['a', 'b'].map((name) => join(MODEL, 'adapters', name));
const ZIPF = fileURLToPath(new URL('../zipf-turn.mjs', import.meta.url));
const engineOptions = { threads: 1 };
let scratch;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'aril-bench-test-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a turn of ours', () => {
  it('gives every request its tokens and times, run by run', async () => {
    const turn = await engineTurn(
      { scratch, engineOptions },
      {
        model: MODEL,
        adapters: ADAPTERS,
        newTokens: 6,
        prompts: randomPrompts(3, 8, 1, 512),
        runs: [
          { name: 'base', adapters: [-1, -1, -1] },
          { name: 'both', adapters: [0, 1, 0] },
        ],
      },
    );
    expect(turn.adaptersResident).toBe(2);
    expect(turn.info.layers).toBe(5);
    expect(turn.runs.map(({ name, tokens }) => [name, tokens])).toEqual([
      ['base', 18],
      ['both', 18],
    ]);
    for (const { ttftMs, tpotMs, stepMs, seconds } of turn.runs) {
      expect(ttftMs).toHaveLength(3);
      expect(Math.min(...ttftMs, ...tpotMs)).toBeGreaterThan(0);
      // Of so small a model several steps may arrive together, the first ones with the prefill.
      expect(stepMs.length).toBeLessThanOrEqual(5);
      for (const ms of stepMs) expect(ms).toBeGreaterThan(0);
      expect(seconds).toBeGreaterThan(0);
    }
  });

  it('says why it failed', async () => {
    const spec = { model: MODEL, adapters: ['/nowhere'], newTokens: 1, prompts: [[100]], runs: [] };
    await expect(engineTurn({ scratch, engineOptions }, spec)).rejects.toThrow('/nowhere');
  });
});

describe('Zipf traffic', () => {
  let folders;
  beforeAll(() => {
    folders = Array.from({ length: 8 }, (_, i) => {
      const folder = join(scratch, `a${i}`);
      symlinkSync(ADAPTERS[0], folder);
      return folder;
    });
  });
  const spec = () => ({
    model: MODEL,
    options: engineOptions,
    folders,
    room: 4,
    concurrency: 2,
    promptTokens: 8,
    newTokens: 4,
    ranks: [0, 5, 0, 6, 1, 7, 0, 5, 6, 7],
  });

  it('loads what is not resident and leaves the first wave out', async () => {
    const { requests, tokens } = await runTurn(scratch, process.execPath, [ZIPF], spec());
    expect(requests).toHaveLength(8);
    expect(requests.filter(({ hit }) => hit).length).toBeGreaterThan(0);
    expect(requests.filter(({ hit }) => !hit).length).toBeGreaterThan(0);
    expect(tokens).toBeGreaterThan(0);
  });

  it('loads nothing when the same traffic runs on resident adapters', async () => {
    const { requests } = await runTurn(scratch, process.execPath, [ZIPF], { ...spec(), resident: 2 });
    expect(requests).toHaveLength(8);
    expect(requests.every(({ hit, duringLoad }) => hit && !duringLoad)).toBe(true);
  });
});

describe('taking turns', () => {
  const ours = { name: OURS, run: (round) => Promise.resolve(round) };

  it('leaves a peer that fails out, and goes on', async () => {
    const notes = [];
    const broken = { name: 'broken', run: () => Promise.reject(new Error('no AVX')) };
    const results = await takeTurns([ours, broken], 3, (text) => notes.push(text));
    expect([...results]).toEqual([[OURS, [1, 2, 3]]]);
    expect(notes).toContain('broken is left out: no AVX');
  });

  it('fails when we fail', async () => {
    const failing = { name: OURS, run: () => Promise.reject(new Error('crash')) };
    await expect(takeTurns([failing], 1, () => {})).rejects.toThrow('crash');
  });
});

describe('a random model', () => {
  const config = {
    ...LLAMA_1B,
    vocab_size: 300,
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 16,
    eos_token_id: 1,
    bos_token_id: 0,
  };

  it('is one the engine loads and runs with adapters of any rank', async () => {
    const folder = provideRandomModel(join(scratch, 'model'), config, () => {});
    expect(existsSync(join(folder, 'model.safetensors.part'))).toBe(false);
    const engine = await createEngine({ model: folder, ...engineOptions });
    try {
      expect(engine.model).toMatchObject({ layers: 2, hiddenSize: 64, kvHeads: 2, vocabSize: 300 });
      const folders = provideAdapters(scratch, engine.model, [4, 64]);
      for (const [i, one] of folders.entries()) await engine.loadAdapter(`a${i}`, one);
      expect(JSON.parse(readFileSync(join(folders[1], 'adapter_config.json'), 'utf8')).r).toBe(64);
      const { bytes: small } = engine.adapters().find(({ name }) => name === 'a0');
      const { bytes: large } = engine.adapters().find(({ name }) => name === 'a1');
      expect(large / small).toBeGreaterThan(8);
    } finally {
      await engine.close();
    }
  });

  it('refuses a disk without room for it before it writes', () => {
    const huge = { ...config, vocab_size: 2 ** 40 };
    expect(() => provideRandomModel(join(scratch, 'huge'), huge, () => {})).toThrow(/takes .* GB are free/);
  });
});
