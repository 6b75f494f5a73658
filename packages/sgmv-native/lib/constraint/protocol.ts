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

/** Asks for the mask of completion token `index`. Answered in order, one reply each. */
export type MaskCall = { matcher: string; index: number } & (
  | { call: 'open'; source: GrammarSource; tokens: number[] } // a new matcher, after these tokens
  | { call: 'accept'; token: number } // after one token more
);

export type GrammarCall = MaskCall | { call: 'close'; matcher: string };

/** A mask as the engine takes it, or why there is none. */
export type GrammarReply = { mask: Uint32Array<ArrayBuffer> } | { code: string; reason: string };
