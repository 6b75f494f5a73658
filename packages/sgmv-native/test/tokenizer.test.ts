/** The model's own tokenizer and chat template, and the bytes its tokens stand for. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readGolden } from '../lib/cli/golden-file.js';
import { EngineError, ModelTokenizer } from '../lib/index.js';
import { goldenFolder, smollm2Folder, stories } from './places.js';

const textOf = (tokenizer: ModelTokenizer, tokens: number[]): string => {
  const vocabulary = tokenizer.vocabulary();
  return Buffer.concat(tokens.map((token) => vocabulary[token] ?? new Uint8Array())).toString('utf8');
};

const TEXTS = [
  '',
  'Hello',
  ' leading and  double  spaces',
  'naïve café €5 😀👩‍👩‍👧',
  'tabs\tand\nlines\r\n',
  '你好 привет',
  '\u0000\u001b',
  '<|im_start|>',
];

describe('SmolLM2 (byte-level)', () => {
  let tokenizer: ModelTokenizer;
  beforeAll(async () => {
    tokenizer = await ModelTokenizer.load(smollm2Folder);
  });

  test('the chat template gives the reference tokens, and the tokens the reference text', () => {
    for (const { name, messages, promptTokens, greedy, text } of readGolden(goldenFolder('smollm2')).cases) {
      expect(tokenizer.chat(messages ?? []), name).toEqual(promptTokens);
      expect(textOf(tokenizer, greedy ?? []), name).toBe(text);
    }
  });

  test.each(TEXTS)('%j comes back', (text) => {
    const tokens = tokenizer.encode(text, { addSpecialTokens: false });
    expect(textOf(tokenizer, tokens)).toBe(text === '<|im_start|>' ? '' : text);
  });

  test('every id has an entry; special tokens have no text', () => {
    const vocabulary = tokenizer.vocabulary();
    expect(vocabulary).toHaveLength(49152);
    expect([vocabulary[0], vocabulary[1], vocabulary[2]]).toEqual([null, null, null]);
    expect(vocabulary.filter((bytes) => bytes === null).length).toBeLessThan(30);
  });
});

test("Gemma 4's marks have text, those of thoughts the usual one", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  const added_tokens = ['<|turn>', '<|channel>', '<channel|>', '<|tool_call>', '<tool_call|>', '<|"|>', '<|tool_response>'].map((content, id) => ({ id, content, special: true }));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab: {}, merges: [] }, decoder: { type: 'ByteFallback' }, normalizer: null, pre_tokenizer: null, post_processor: null, added_tokens }));
  const tokenizer = await ModelTokenizer.load(folder);
  expect(tokenizer.vocabulary().map((bytes) => bytes && Buffer.from(bytes).toString())).toEqual([null, '<think>', '</think>', '<|tool_call>', '<tool_call|>', '<|"|>', null]);
  expect(tokenizer.markTokens()).toEqual({ thoughts: [1, 2], calls: [3, 4, 5], last: [6] });
  rmSync(folder, { recursive: true });
});

test.each([['<think>', '</think>'], ['<seed:think>', '</seed:think>'], ['[THINK]', '[/THINK]'], ['<|inner_prefix|>', '<|inner_suffix|>']])('marks of thoughts have the usual text: %s', async (...marks) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  const added_tokens = [...marks, '<seed:cot_budget_reflect>'].map((content, id) => ({ id, content, special: true }));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab: {}, merges: [] }, decoder: { type: 'ByteLevel' }, normalizer: null, pre_tokenizer: null, post_processor: null, added_tokens }));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template: `{{ 'x${marks[1]}' }}` }));
  const tokenizer = await ModelTokenizer.load(folder);
  expect(tokenizer.vocabulary().map((bytes) => bytes && Buffer.from(bytes).toString())).toEqual(['<think>', '</think>', null]);
  expect(tokenizer.markTokens()).toEqual({ thoughts: [0, 1], calls: [], last: [] });
  expect(tokenizer.hasThoughts).toBe(true);
  rmSync(folder, { recursive: true });
});

test.each([['<seed:tool_call>', '</seed:tool_call>'], ['<minimax:tool_call>', '</minimax:tool_call>'], ['<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>'], ['<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>', '<｜tool▁calls▁end｜>'], ['<|tool_call_start|>', '<|tool_call_end|>']])('marks of calls have text: %s', async (...marks) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  const added_tokens = [...marks, '<｜Assistant｜>'].map((content, id) => ({ id, content, special: true }));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab: {}, merges: [] }, decoder: { type: 'ByteLevel' }, normalizer: null, pre_tokenizer: null, post_processor: null, added_tokens }));
  const tokenizer = await ModelTokenizer.load(folder);
  expect(tokenizer.vocabulary().map((bytes) => bytes && Buffer.from(bytes).toString())).toEqual([...marks, null]);
  expect(tokenizer.markTokens()).toEqual({ thoughts: [], calls: marks.map((_mark, id) => id), last: [] });
  rmSync(folder, { recursive: true });
});

describe('stories260k (sentencepiece with byte fallback)', () => {
  test.each(TEXTS.slice(0, 7))('%j comes back', async (text) => {
    const tokenizer = await ModelTokenizer.load(stories);
    const tokens = tokenizer.encode(text, { addSpecialTokens: false });
    expect(Math.max(-1, ...tokens)).toBeLessThan(512);
    // Sentencepiece puts a space before the first word.
    expect(textOf(tokenizer, tokens)).toBe(text === '' ? '' : ` ${text}`);
  });

  test('the begin token is added unless it is not wanted', async () => {
    const tokenizer = await ModelTokenizer.load(stories);
    expect(tokenizer.encode('Once')[0]).toBe(1);
    expect(tokenizer.encode('Once', { addSpecialTokens: false })[0]).not.toBe(1);
  });
});

describe('files that are missing or wrong', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sgmv-tokenizer-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('infinity in config.json, as Python writes it, is passed over', async () => {
    const model = mkdtempSync(join(tmpdir(), 'sgmv-tokenizer-'));
    cpSync(stories, model, { recursive: true });
    writeFileSync(join(model, 'config.json'), '{"time_step_limit": [0.0, Infinity], "eos_token_id": 2}');
    await expect(ModelTokenizer.load(model)).resolves.toBeInstanceOf(ModelTokenizer);
    writeFileSync(join(model, 'config.json'), '{"time_step_limit": [0.0, Infinite]}');
    await expect(ModelTokenizer.load(model)).rejects.toThrow(/config\.json is not JSON/);
    rmSync(model, { recursive: true });
  });

  test('are named', async () => {
    await expect(ModelTokenizer.load(folder)).rejects.toMatchObject({ code: 'model_not_found' });
    writeFileSync(join(folder, 'tokenizer.json'), '{');
    await expect(ModelTokenizer.load(folder)).rejects.toThrow(/tokenizer\.json is not JSON/);
  });

  test("a conversation that the template refuses is the caller's mistake", async () => {
    const tokenizer = await ModelTokenizer.load(join(goldenFolder('..'), 'fixtures', 'stories260k'));
    expect(tokenizer.hasChatTemplate).toBe(true);
    const error = await ModelTokenizer.load(folder).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(EngineError);
  });
});
