/** What is refused for its bytes' sake would have been refused for its tokens. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ModelTokenizer } from '../lib/index.js';
import { TokenFloor } from '../lib/token-floor.js';
import { smollm2Folder, stories } from './places.js';

const words = ['a', '=', ' ', '\n', '▁', ' the', '\u0004', 'é', '你', '😀', '<|im_start|>', '----------------', '\ud800'];
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((parts) => parts.join('')),
  fc.tuple(fc.constantFrom(...words), fc.nat(400)).map(([word, times]) => word.repeat(times)),
);

test.each([smollm2Folder, stories])('no text has fewer tokens than its floor: %s', async (folder) => {
  const tokenizer = await ModelTokenizer.load(folder);
  const floor = tokenizer.floor();
  fc.assert(
    fc.property(texts, (text) => floor.of(text) <= tokenizer.encode(text, { addSpecialTokens: false }).length),
    { numRuns: 2000 },
  );
  expect(floor.of('a'.repeat(1e6))).toBeGreaterThan(30_000);
});

const alphabet = Array.from({ length: 256 }, (_, byte) => byte);
const sentencepiece = {
  model: {
    type: 'BPE',
    byte_fallback: true,
    vocab: Object.fromEntries(alphabet.map((byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, byte])),
  },
};

test.each([
  ['nothing', {}, 1000],
  ['NFC', { normalizer: { type: 'NFC' } }, 250],
  ['a normalizer that may strip', { normalizer: { type: 'Strip' } }, 0],
  ['one that removes', { normalizer: { type: 'Replace', pattern: { String: 'a' }, content: '' } }, 0],
  ['a pre-tokenizer that drops', { pre_tokenizer: { type: 'Split', behavior: 'Removed' } }, 0],
  ['a token that eats white space', { added_tokens: [{ id: 9, content: 'x', rstrip: true }] }, 0],
])('with %s', (_, changes, expected) => {
  // The longest piece, <0xNN>, has six bytes.
  expect(new TokenFloor({ ...sentencepiece, ...changes }, {}).of('a'.repeat(6000))).toBe(expected);
});
