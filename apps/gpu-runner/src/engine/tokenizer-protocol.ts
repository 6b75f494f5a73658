import type { GenerationJob } from '@aril/contracts';

/** What the runner's main thread and a tokenizer thread say to each other: one call, one reply. */
export type TextInput = Exclude<GenerationJob['input'], { kind: 'tokens' }> | { kind: 'prediction'; text: string };

export interface TokenizerThreadData {
  modelDir: string;
  /** The model's context. */
  positions: number;
}

/** The tokens, or why there are none, in the engine's codes. */
export type TokenizerReply = { tokens: Int32Array<ArrayBuffer> } | { code: string; reason: string };
