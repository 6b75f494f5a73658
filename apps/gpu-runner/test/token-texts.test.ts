import { expect, it } from 'vitest';
import { TokenTexts } from '../src/engine/token-texts.js';

const vocabulary = [Uint8Array.of(0x20, 0x61), null, Uint8Array.of(0xf0, 0x9f)];
const texts = new TokenTexts(vocabulary, (token) => (token === 1 ? '<|end|>' : ''));

it('gives each scored token its text and bytes, special and partial ones too', () => {
  const [scored] = texts.logprobs([
    { token: 0, logprob: -0.5, top: [{ token: 1, logprob: -1 }, { token: 2, logprob: -2 }, { token: 99, logprob: -3 }] },
  ]);
  expect(scored).toEqual({
    token: 0,
    text: ' a',
    bytes: [0x20, 0x61],
    logprob: -0.5,
    top: [
      { token: 1, text: '<|end|>', bytes: null, logprob: -1 },
      { token: 2, text: '\u{FFFD}', bytes: [0xf0, 0x9f], logprob: -2 },
      { token: 99, text: '', bytes: null, logprob: -3 },
    ],
  });
});

it('joins tokens whose bytes belong together, and leaves out special ones', () => {
  const halves = new TokenTexts([...vocabulary, Uint8Array.of(0x98, 0x80)], () => '<|end|>');
  expect(halves.joined([0, 1, 2, 3, 0])).toBe(' a😀 a');
  expect([halves.textOf(0), halves.textOf(1), halves.textOf(2)]).toEqual([' a', '<|end|>', '\u{FFFD}']);
});

it('writes a probability of zero as a number that JSON has', () => {
  expect(texts.logprobs([{ token: 0, logprob: -Infinity, top: [] }])[0]?.logprob).toBe(-9999);
});
