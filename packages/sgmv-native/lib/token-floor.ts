/**
 * How many tokens a text has at least, from its bytes alone: tokenizing a text that cannot fit takes seconds.
 *
 * Every byte weighs 1 / (the longest token it can be part of). A token's bytes then weigh one together at most, so a text
 * has at least as many tokens as its bytes weigh. That holds where every byte ends up in a token; a byte that may be lost
 * on the way (no letter of the vocabulary stands for it, white space that is stripped) weighs nothing.
 */
import { byteLevelAlphabet, partsOf, type Component, type TokenizerJson } from './vocabulary.js';

/**
 * NFC makes one byte of the Kelvin sign's three, and two of a Greek letter's seven when it comes in parts; of all of
 * Unicode 16 no more.
 */
const NFC_SHRINKS = 4;

/** Pre-tokenizers that keep all of the text. `Split` does unless it is told to drop something. */
const KEEPING = new Set(['ByteLevel', 'Digits', 'Metaspace']);

const bytesOf = (text: string): number => Buffer.byteLength(text);

/** To which part of itself the normalizer can shrink a text, as 1 : n. Infinity: nothing is known. */
function shrinks({ type, pattern, content }: Component): number {
  if (type === 'NFC') return NFC_SHRINKS;
  if (type === 'Prepend') return 1;
  const replaced = type === 'Replace' ? pattern?.String : undefined;
  return replaced === undefined ? Infinity : Math.max(1, bytesOf(replaced) / bytesOf(content ?? ''));
}

const keeps = ({ type, invert, behavior }: Component): boolean =>
  KEEPING.has(type ?? '') || (type === 'Split' && !invert && behavior?.toLowerCase() !== 'removed');

function losesText(json: TokenizerJson, config: Record<string, unknown>): boolean {
  return (
    json.model.type !== 'BPE' ||
    Array.isArray(json.model.vocab) ||
    !partsOf(json.pre_tokenizer).every(keeps) ||
    (json.added_tokens ?? []).some(({ lstrip, rstrip }) => lstrip || rstrip) ||
    Boolean(config.remove_space || config.do_lowercase_and_remove_accent)
  );
}

/** The pieces' bytes as they are in the text; without the pieces that have other letters, which no text becomes. */
function byteLevelPieces(pieces: string[]): Uint8Array[] {
  const alphabet = byteLevelAlphabet();
  return pieces.flatMap((piece) => {
    const bytes = [...piece].map((letter) => alphabet.get(letter));
    return bytes.every((byte) => byte !== undefined) ? [Uint8Array.from(bytes)] : [];
  });
}

/** By byte, the longest piece that it is in; 0: none. */
function longestByByte(pieces: Uint8Array[]): number[] {
  const longest = new Array<number>(256).fill(0);
  for (const piece of pieces)
    for (const byte of piece) longest[byte] = Math.max(longest[byte] ?? 0, piece.length);
  return longest;
}

/** Of the bytes that occur in UTF-8. */
const everyByteHas = (has: (byte: number) => boolean): boolean =>
  Array.from({ length: 0xf5 }, (_, byte) => byte).every((byte) => byte === 0xc0 || byte === 0xc1 || has(byte));

function longestTokens(json: TokenizerJson): number[] {
  const names = Object.keys(json.model.vocab);
  const added = (json.added_tokens ?? []).map(({ content }) => new TextEncoder().encode(content));
  const shrunk = partsOf(json.normalizer).reduce((product, part) => product * shrinks(part), 1);
  const any = (longest: number): number[] => new Array<number>(256).fill(longest * shrunk);
  if (partsOf(json.pre_tokenizer).some(({ type }) => type === 'ByteLevel')) {
    const pieces = byteLevelPieces(names);
    const covered = longestByByte(pieces.filter(({ length }) => length === 1));
    // An added token is found whole, whatever its bytes are by themselves.
    const longest = longestByByte([...pieces, ...added]).map((length, byte) => (covered[byte] ? length : 0));
    if (partsOf(json.normalizer).length === 0) return longest;
    return everyByteHas((byte) => covered[byte] === 1) ? any(Math.max(...longest)) : any(Infinity);
  }
  const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');
  const kept = json.model.byte_fallback && everyByteHas((byte) => Object.hasOwn(json.model.vocab, `<0x${hex(byte)}>`));
  if (!kept) return any(Infinity);
  // Of a piece as it is written: its ▁ stands for a space, or for itself, which has three bytes.
  return any(Math.max(...names.map(bytesOf), ...added.map(({ length }) => length)));
}

export class TokenFloor {
  readonly #weights: Float64Array;

  constructor(json: TokenizerJson, config: Record<string, unknown>) {
    const longest = losesText(json, config) ? [] : longestTokens(json);
    this.#weights = Float64Array.from({ length: 256 }, (_, byte) => (longest[byte] ? 1 / longest[byte] : 0));
  }

  /** Some milliseconds for a megabyte. */
  of(text: string): number {
    const counts = new Uint32Array(256);
    const bytes = new TextEncoder().encode(text);
    for (let i = 0; i < bytes.length; i++) counts[bytes[i]!]!++;
    const weight = counts.reduce((sum, count, byte) => sum + count * (this.#weights[byte] ?? 0), 0);
    // A sum of 256 products is off by less than this.
    return Math.ceil(weight * (1 - 1e-12));
  }
}
