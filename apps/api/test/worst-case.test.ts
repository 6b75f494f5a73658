import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requestedSamplingSchema, type GenerationInput } from '../src/core/generations/generation-request.js';
import { worstCase } from '../src/core/generations/worst-case.js';

const CONTEXT = 8_192;
const price = { promptNanoUsdPerToken: 20n, completionNanoUsdPerToken: 60n };

function of(input: GenerationInput, { n = 1, maxTokens, prices = price }: { n?: number; maxTokens?: number; prices?: typeof price } = {}) {
  return worstCase({ input, n, sampling: requestedSamplingSchema.parse({ maxTokens }) }, CONTEXT, prices);
}
const tokens = (count: number): GenerationInput => ({ kind: 'tokens', tokens: Array.from({ length: count }, () => 1) });
const chat = (content: string): GenerationInput => ({ kind: 'messages', messages: [{ role: 'user', content }] });

describe('the worst case', () => {
  it('of tokens is exact: the prompt once, each answer whole', () => {
    expect(of(tokens(100), { n: 3, maxTokens: 50 })).toEqual({ tokens: 250, nanoUsd: 100n * 20n + 150n * 60n });
  });

  it('leaves the answers what the prompt leaves of the context', () => {
    expect(of(tokens(8_000), { n: 2, maxTokens: 500 })).toEqual({ tokens: 8_000 + 2 * 192, nanoUsd: 8_000n * 20n + 384n * 60n });
  });

  it('of a text counts a token for each of its bytes', () => {
    const { tokens: found } = of({ kind: 'prompt', prompt: 'ä'.repeat(100) }, { maxTokens: 1 });
    expect(found).toBeGreaterThanOrEqual(201);
    expect(found).toBeLessThan(220);
  });

  it('counts the bytes that a normalizer makes of it', () => {
    // NFC takes this letter apart: three bytes become nine.
    const { tokens: found } = of({ kind: 'prompt', prompt: '\uFB2C'.repeat(50) }, { maxTokens: 1 });
    expect(found).toBeGreaterThanOrEqual(50 * '\uFB2C'.normalize('NFC').length + 1);
  });

  it('of a text that may fill the context is the worst split of it', () => {
    const long: GenerationInput = { kind: 'prompt', prompt: 'x'.repeat(1_000_000) };
    expect(of(long, { maxTokens: CONTEXT })).toEqual({ tokens: CONTEXT, nanoUsd: BigInt(CONTEXT) * 60n });
    const dearPrompts = { promptNanoUsdPerToken: 100n, completionNanoUsdPerToken: 60n };
    expect(of(long, { maxTokens: CONTEXT, prices: dearPrompts }).nanoUsd).toBe(BigInt(CONTEXT - 1) * 100n + 60n);
  });

  it('is not smaller for any prompt that the text can be', () => {
    for (const n of [1, 4]) {
      for (const maxTokens of [1, 300, 5_000, CONTEXT]) {
        for (const prices of [price, { promptNanoUsdPerToken: 900n, completionNanoUsdPerToken: 7n }]) {
          const most = 3_000;
          const worst = of({ kind: 'prompt', prompt: 'x'.repeat(most) }, { n, maxTokens, prices });
          for (let prompt = 1; prompt <= most; prompt += 7) {
            const exact = of(tokens(prompt), { n, maxTokens, prices });
            expect(worst.nanoUsd >= exact.nanoUsd && worst.tokens >= exact.tokens).toBe(true);
          }
        }
      }
    }
  });

  it('has room for the shape that tools are told in', () => {
    const tools = Array.from({ length: 30 }, (_, index) => ({ name: `tool_${index}` }));
    const told = tools.map(({ name }) => JSON.stringify({ type: 'function', function: { name, parameters: { type: 'object', properties: {} } } })).join('\n');
    const input: GenerationInput = { kind: 'messages', messages: [{ role: 'user', content: 'Hi' }], tools };
    expect(of(input, { maxTokens: 1 }).tokens - of(chat('Hi'), { maxTokens: 1 }).tokens).toBeGreaterThan(told.length);
  });

  it('does not spread out what fills the context anyway', () => {
    // Indented, this is more than the longest string there can be.
    let value: unknown = Array.from({ length: 2_000_000 }, () => 1);
    for (let depth = 0; depth < 62; depth++) value = [value];
    const toolCalls = [{ id: 'x', name: 'x', arguments: { value } }];
    expect(of({ kind: 'messages', messages: [{ role: 'assistant', content: '', toolCalls }] }).tokens).toBe(CONTEXT);
  });

  it.each(['smollm2-135m-instruct'])('of messages has room for what the template of %s says', (model) => {
    const template = readFileSync(new URL(`../../../models/${model}/chat_template.jinja`, import.meta.url), 'utf8');
    expect(of(chat('Hi'), { maxTokens: 1 }).tokens).toBeGreaterThan(template.length);
    const growth = of(chat('x'.repeat(500)), { maxTokens: 1 }).tokens - of(chat(''), { maxTokens: 1 }).tokens;
    expect(growth).toBe(500);
  });
});
