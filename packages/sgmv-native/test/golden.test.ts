/** The engine against Transformers + PEFT, through the code of `sgmv golden`. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runGolden, type CaseResult } from '../lib/cli/golden-run.js';
import { cpuInfo } from '../lib/index.js';
import { goldenFolder, hasSmollm2 } from './places.js';

const failures = (results: CaseResult[]): string[] =>
  results.filter(({ passed }) => !passed).map(({ case: name, error }) => `${name}: ${error?.message}`);

const kinds: Record<string, number> = {
  llama2: 3 * 8,
  ...Object.fromEntries(
    ['mistral', 'qwen2', 'qwen3-yarn', 'gemma2', 'gemma3', 'phi3', 'phi3-longrope'].map(
      (family) => [family, 3 * 4],
    ),
  ),
  ...Object.fromEntries(
    ['llama3', 'llama-linear', 'llama-bias', 'phi4', 'phi4-mini', 'smollm3', 'olmo2', 'olmo3', 'mistral3', 'ministral3', 'gemma', 'seed-oss', 'glm4', 'ernie', 'exaone4', 'hunyuan', 'starcoder2', 'nemotron', 'cohere', 'cohere2', 'phi', 'stablelm', 'vaultgemma', 'granite-swa', 'hyperclovax'].map(
      (family) => [family, 2 * 3],
    ),
  ),
  ...Object.fromEntries(
    ['granite', 'gemma3-vision', 'qwen2-5-vl', 'qwen2-moe', 'qwen3-moe', 'olmoe'].map((family) => [
      family,
      2 * 4,
    ]),
  ),
  ...Object.fromEntries(
    ['compressed-packed', 'compressed-int8', 'awq', 'gptq', 'gptq-v2', 'bnb-nf4', 'bnb-fp4', 'bnb-int8'].map(
      (quantized) => [quantized, 2 * 2],
    ),
  ),
  mixtral: 2 * 5,
  granitemoe: 2 * 3,
  ...Object.fromEntries(
    ['qwen3-vl-moe', 'glm4-moe', 'minimax-m2', 'granitemoeshared', 'ernie-moe', 'flex-olmo', 'mellum', 'exaone-moe'].map((family) => [
      family,
      2 * 3,
    ]),
  ),
  'qwen3-5': 2 * 3,
  ...Object.fromEntries(
    ['gemma4', 'gemma4-keys', 'gemma4-moe', 'deepseek-v2', 'deepseek-v3', 'glm4-moe-lite', 'minicpm3', 'llama4', 'apertus', 'olmo'].map((family) => [
      family,
      2 * 3,
    ]),
  ),
  ...Object.fromEntries(
    ['lfm2', 'lfm2-moe', 'granite-hybrid', 'granite-hybrid-moe', 'bamba', 'falcon-h1', 'nemotron-h', 'nemotron-h-moe'].map((family) => [family, 2 * 3]),
  ),
  ...Object.fromEntries(
    ['qwen3-next', 'gguf-qwen35', 'gguf-qwen35moe', 'gguf-qwen3next', 'gguf-lfm2moe', 'gguf-granitehybrid', 'gguf-bamba', 'gguf-nemotron_h', 'gguf-nemotron_h_moe'].map((family) => [family, 2 * 2]),
  ),
  'gguf-falcon-h1': 2,
  routers: 2 * 2,
  'bare-parameters': 2,
  'hunyuan-moe': 2 * 2,
  'gpt-oss': 2 * 4,
  'gpt-oss-mxfp4': 2 * 2,
};

describe.each(Object.entries(kinds))('%s', (family, count) => {
  test.each(cpuInfo().isas)('every prompt position of every case, %s', async (isa) => {
    const results = await runGolden(goldenFolder(family), { tolerance: 2e-3, isa });
    expect(failures(results)).toEqual([]);
    expect(results).toHaveLength(count);
    // Float32 throughout: a real margin below what the format allows, so that a subtle fault shows.
    for (const { difference } of results) expect(difference?.relative).toBeLessThan(2e-5);
  });
});

// The weights are fetched by `npm start` and `npm test`; the repository does not carry them.
describe.skipIf(!hasSmollm2)('SmolLM2', () => {
  test('base and six adapters: logits, greedy tokens, chat template, text', async () => {
    const results = await runGolden(goldenFolder('smollm2'), { tolerance: 2e-3 });
    expect(failures(results)).toEqual([]);
    expect(results).toHaveLength(7);
    expect(results.every(({ greedyTokens }) => greedyTokens > 0)).toBe(true);
    expect(Math.max(...results.map(({ difference }) => difference?.relative ?? 1))).toBeLessThan(1e-4);
  });
});

describe('a golden folder that is wrong', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sgmv-golden-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const copy = (name: string, change: (file: Buffer) => Buffer, file: string): string => {
    const target = join(folder, name);
    cpSync(goldenFolder('llama2'), target, { recursive: true });
    const path = join(target, file);
    const changed = change(readFileSync(path));
    rmSync(path);
    writeFileSync(path, changed);
    return target;
  };

  test('other logits fail the case, and its neighbours pass', async () => {
    const target = copy(
      'logits',
      (file) => {
        const header = Number(file.readBigUInt64LE());
        const entry = JSON.parse(file.subarray(8, 8 + header).toString())['base/1/logits'];
        const at = 8 + header + entry.data_offsets[0];
        file.writeFloatLE(file.readFloatLE(at) + 1, at);
        return file;
      },
      'golden.safetensors',
    );
    const results = await runGolden(target, { tolerance: 2e-3 });
    const wrong = results.filter(({ passed, error }) => !passed && error?.code === 'logits');
    expect(wrong.map((result) => result.case)).toEqual(['base/1']);
  });

  test('another greedy token with a wide gap fails, at a tie it is followed', async () => {
    const edit = (gap: number) => (file: Buffer) => {
      const json = JSON.parse(file.toString());
      json.cases = json.cases.slice(0, 1);
      json.cases[0].greedy = [5, 6, 7];
      json.cases[0].gaps = [gap, gap, gap];
      return Buffer.from(JSON.stringify(json));
    };
    const wide = await runGolden(copy('wide', edit(1), 'golden.json'), { tolerance: 2e-3 });
    expect(wide[0]?.error?.code).toBe('greedy_token');
    const tie = await runGolden(copy('tie', edit(1e-6), 'golden.json'), { tolerance: 2e-3 });
    expect(tie[0]?.passed).toBe(true);
  });

  test('an unsupported model fails every case by its code', async () => {
    const target = copy(
      'model',
      (file) => Buffer.from(file.toString().replace('"llama"', '"mamba"')),
      'model/config.json',
    );
    const results = await runGolden(target, { tolerance: 2e-3 });
    expect(results).toHaveLength(24);
    expect(new Set(results.map(({ error }) => error?.code))).toEqual(new Set(['model_unsupported']));
    expect(existsSync(target)).toBe(true);
  });
});
