/**
 * The bytes each token id stands for, from a tokenizer.json. With them text is the plain concatenation of bytes, so
 * the engine can stream and match stop strings without a tokenizer.
 */
import { markKind, RESULTS_BEGIN, textOfToken } from './chat/marks.js';
import { EngineError } from './engine-error.js';

export interface Component {
  type?: string;
  decoders?: Component[];
  pretokenizers?: Component[];
  normalizers?: Component[];
  /** Of `Replace` and `Split`. */
  pattern?: { String?: string };
  content?: string;
  invert?: boolean;
  behavior?: string;
}

export interface TokenizerJson {
  model: { type?: string; vocab: Record<string, number> | [string, number][]; byte_fallback?: boolean };
  normalizer?: Component | null;
  decoder?: Component | null;
  pre_tokenizer?: Component | null;
  added_tokens?: { id: number; content: string; special?: boolean; lstrip?: boolean; rstrip?: boolean }[];
}

const encoder = new TextEncoder();

/** A component, or those of a sequence of them. */
export const partsOf = (component: Component | null | undefined): Component[] => {
  if (!component) return [];
  const parts = component.decoders ?? component.pretokenizers ?? component.normalizers;
  return component.type === 'Sequence' ? (parts ?? []).flatMap(partsOf) : [component];
};

/**
 * GPT-2's alphabet: printable bytes stand for themselves, the others for code points from U+0100 on, in order.
 */
export function byteLevelAlphabet(): Map<string, number> {
  const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  const alphabet = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++)
    alphabet.set(String.fromCodePoint(printable(byte) ? byte : next++), byte);
  return alphabet;
}

/** A piece with a letter outside the alphabet is plain text, as decoders take it. */
function byteLevelDecoder(): (piece: string) => Uint8Array {
  const alphabet = byteLevelAlphabet();
  return (piece) => {
    const bytes = [...piece].map((letter) => alphabet.get(letter));
    return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : encoder.encode(piece);
  };
}

/** Sentencepiece: `▁` is a space, `<0xNN>` a byte. */
function sentencePieceBytes(piece: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece)?.[1];
  return byte ? Uint8Array.of(Number.parseInt(byte, 16)) : encoder.encode(piece.replaceAll('▁', ' '));
}

function pieceDecoder(json: TokenizerJson): (piece: string) => Uint8Array {
  const types = [json.decoder, json.pre_tokenizer].flatMap(partsOf).map(({ type }) => type ?? '');
  if (types.includes('ByteLevel')) return byteLevelDecoder();
  if (types.some((type) => ['ByteFallback', 'Metaspace', 'Replace'].includes(type)))
    return sentencePieceBytes;
  throw new EngineError(
    'model_unsupported',
    `tokenizer.json: decoder: found ${json.decoder?.type ?? 'none'}; expected a byte-level or a sentencepiece-style one.`,
  );
}

/** Index = token id; null for special tokens and unused ids, which give no text. Marks of thoughts and calls are text. */
export function readVocabulary(json: TokenizerJson): (Uint8Array | null)[] {
  const decode = pieceDecoder(json);
  const { vocab } = json.model;
  const pieces: [string, number][] = Array.isArray(vocab)
    ? vocab.map(([piece], id) => [piece, id])
    : Object.entries(vocab);
  const added = json.added_tokens ?? [];
  const size =
    [...pieces.map(([, id]) => id), ...added.map(({ id }) => id)].reduce((a, b) => Math.max(a, b), -1) + 1;
  const table = new Array<Uint8Array | null>(size).fill(null);
  for (const [piece, id] of pieces) table[id] = decode(piece);
  for (const { id, content, special } of added) table[id] = special && !markKind(content) ? null : encoder.encode(textOfToken(content));
  return table;
}

/** Special tokens that spell a mark. Who does not read marks of that kind hides them, as all special tokens are hidden. */
export interface MarkTokens {
  thoughts: number[];
  calls: number[];
  /** No marks: who reads calls takes such a token for an answer's end. */
  last: number[];
}

export function findMarkTokens({ added_tokens: added = [] }: TokenizerJson): MarkTokens {
  const of = (kind: keyof MarkTokens): number[] => added.filter(({ special, content }) => special && markKind(content) === kind).map(({ id }) => id);
  return { thoughts: of('thoughts'), calls: of('calls'), last: added.filter(({ content }) => content === RESULTS_BEGIN).map(({ id }) => id) };
}
