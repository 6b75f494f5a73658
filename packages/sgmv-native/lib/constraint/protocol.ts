/** What the main thread and a grammar thread say to each other. */
export interface GrammarSource {
  kind: 'jsonSchema' | 'regex' | 'grammar';
  text: string;
  /** Rules of EBNF around the rule `root`, which is what `text` describes; absent: that is the whole. */
  frame?: string;
}

/** Compiled grammars that a thread keeps for the next request with the same source. */
export const SOURCES_MAX = 64;

export const sourceKey = ({ kind, text, frame = '' }: GrammarSource): string => `${kind}\n${frame}\n${text}`;

/** Token i is bytes[ends[i - 1], ends[i]); special tokens have none. */
export interface PackedVocabulary {
  bytes: Uint8Array;
  ends: Uint32Array;
  special: Uint8Array;
}

export interface GrammarThreadData {
  vocabulary: PackedVocabulary;
  vocabSize: number;
  endTokens: number[];
  /** Milliseconds that one mask may take; for tests. */
  maskMsMax?: number;
}

/**
 * Asks for the mask of completion token `index` and, as long as the grammar allows them, of those behind each token of `draft`.
 * Answered in order, one reply each.
 */
export type MaskCall = { matcher: string; index: number; draft: number[] } & (
  | { call: 'open'; source: GrammarSource; tokens: number[] } // a new matcher, after these tokens
  | { call: 'accept'; tokens: number[] } // after these more
);

export type GrammarCall = MaskCall | { call: 'close'; matcher: string };

export interface MaskPlace {
  /** As the engine takes it. */
  mask: Uint32Array<ArrayBuffer>;
  /** What the text must go on with from there; empty: nothing more is known of it than at the place before. */
  forced: string;
}

/** The places that were asked for, or why there is none. */
export type GrammarReply = { places: MaskPlace[] } | { code: string; reason: string };
