/** Grammar threads die of one grammar at most: what it was at is refused, everyone else's masks go on. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Constraints } from '../lib/constraint/constraints.js';
import type { TokensEvent } from '../lib/index.js';

/** Token i is the byte i; 256 ends. */
const VOCABULARY = {
  bytes: Uint8Array.from({ length: 256 }, (_, i) => i),
  ends: Uint32Array.from({ length: 257 }, (_, i) => Math.min(i + 1, 256)),
  special: Uint8Array.from({ length: 257 }, (_, i) => (i < 256 ? 0 : 1)),
};
const byte = (letter: string): number => letter.charCodeAt(0);

/** What the engine would be told. */
class Told {
  readonly #told = new Map<string, string>();
  readonly #waiters: (() => void)[] = [];

  provideMask(id: string, choice: number, index: number, mask: Uint32Array, after: Int32Array, forced: string): void {
    const letters = Array.from({ length: 256 }, (_, i) => i).filter(
      (i) => ((mask[i >> 5] ?? 0) >>> (i & 31)) & 1,
    );
    const behind = String.fromCharCode(...after);
    this.#tell(`${id}/${choice}/${index}${behind && ` after ${behind}`}`, String.fromCharCode(...letters));
    if (forced) this.#tell(`${id}/${choice}/${index}${behind && ` after ${behind}`} forced`, forced);
  }

  fail(id: string, code: string, message: string): void {
    this.#tell(`${id} failed`, `${code}: ${message}`);
  }

  #tell(what: string, how: string): void {
    if (this.#told.has(what)) throw new Error(`${what} was told twice`);
    this.#told.set(what, how);
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  has(what: string): boolean {
    return this.#told.has(what);
  }

  async wait(what: string): Promise<string> {
    while (!this.#told.has(what)) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    return this.#told.get(what)!;
  }
}

const said = (id: string, letter: string): TokensEvent => ({
  type: 'tokens',
  id,
  choice: 0,
  tokens: [byte(letter)],
  text: letter,
});

let told: Told;
let constraints: Constraints;
beforeAll(() => {
  told = new Told();
  constraints = new Constraints(told, { vocabulary: VOCABULARY, vocabSize: 257, endTokens: [256] });
});
afterAll(() => constraints.close());

test('a thread that breaks is replaced, its grammar refused from then on, the others go on', async () => {
  const words = ['one', 'two', 'red', 'sun', 'map', 'cat'];
  for (const word of words) constraints.start(word, 1, { kind: 'regex', text: word }, []);
  for (const word of words) expect(await told.wait(`${word}/0/0`)).toBe(word[0]);
  constraints.observe(words.map((word) => said(word, word[0]!)));
  for (const word of words) expect(await told.wait(`${word}/0/1`)).toBe(word[1]);
  // What no engine does: a token outside the mask.
  constraints.observe([said('one', '!')]);
  expect(await told.wait('one failed')).toMatch(
    /^constraint_invalid: constraint\.pattern: found "one".*refused token 33/,
  );
  constraints.observe(words.slice(1).map((word) => said(word, word[1]!)));
  for (const word of words.slice(1)) expect(await told.wait(`${word}/0/2`)).toBe(word[2]);
  constraints.start('again', 1, { kind: 'regex', text: 'one' }, []);
  expect(await told.wait('again failed')).toMatch(/^constraint_invalid/);
});

test('a mask that takes too long is the end of its source, for all who use it', async () => {
  const slow = new Constraints(told, { vocabulary: VOCABULARY, vocabSize: 257, endTokens: [256], maskMsMax: 0 });
  const source = { kind: 'regex', text: '(a{1,9}){1,9}' } as const;
  for (const id of ['slow', 'slow too']) slow.start(id, 1, source, []);
  for (const id of ['slow', 'slow too']) {
    expect(await told.wait(`${id} failed`)).toMatch(
      /^constraint_invalid: constraint\.pattern: found "\(a\{1,9\}\)\{1,9\}".*took \d+ ms for one token, more than 0: it has too many ways to match\.$/,
    );
  }
  slow.start('slow later', 1, source, []);
  expect(await told.wait('slow later failed')).toMatch(/^constraint_invalid/);
  await slow.close();
});

test('a draft has a mask behind each token that is allowed, and goes on from what was told', async () => {
  const source = { kind: 'regex', text: '(one two|one ten|oö) (three|four)' } as const;
  constraints.start('drafted', 1, source, []);
  expect(await told.wait('drafted/0/0 forced')).toBe('o');
  const draft = (letters: string) => ({ type: 'draft' as const, id: 'drafted', choice: 0, tokens: [...letters].map(byte) });
  constraints.observe([said('drafted', 'o'), draft('ne two!two')]);
  expect(await told.wait('drafted/0/1')).toBe('n\u00c3');
  expect(await told.wait('drafted/0/2 after n')).toBe('e');
  expect(await told.wait('drafted/0/2 after n forced')).toBe('e t');
  expect(await told.wait('drafted/0/5 after ne t')).toBe('ew');
  expect(await told.wait('drafted/0/7 after ne two')).toBe(' ');
  expect(told.has('drafted/0/8 after ne two!')).toBe(false);
  expect(told.has('drafted/0/4 after ne  forced')).toBe(false); // known by then
  constraints.observe([...'ne t'].map((letter) => said('drafted', letter)));
  expect(await told.wait('drafted/0/5')).toBe('ew');
  constraints.observe([said('drafted', 'e'), draft('n three')]);
  expect(await told.wait('drafted/0/6 forced')).toBe('n ');
  expect(await told.wait('drafted/0/13 after n three')).toBe('');
});

test('resumed choices begin after their tokens', async () => {
  const resumed = [Int32Array.from([byte('a'), byte('b')]), Int32Array.of()];
  constraints.start('two choices', 2, { kind: 'grammar', text: 'root ::= "abc" | "x"' }, resumed);
  expect(await told.wait('two choices/0/2')).toBe('c');
  expect(await told.wait('two choices/1/0')).toBe('ax');
});
