import type { ArilError, Constraint, FinishReason, GenerationJob, Sampling, TokenLogprob } from '@aril/contracts';

/**
 * What the consumer needs of an engine, in the contracts' words. The native engine implements it; fault tests
 * implement it with a script. All failures are `EngineFailure`.
 */
export interface InferenceEngine {
  /**
   * Tokens of a prompt or of messages through the model's own chat template. Rejects with the signal's reason as soon as
   * it is aborted. What can be seen not to fit the context is refused without tokenizing it.
   */
  encode(input: GenerationJob['input'], signal?: AbortSignal): Promise<number[]>;
  /** Tokens of what an answer is thought to be. Rejects likewise. */
  encodePrediction(text: string, signal?: AbortSignal): Promise<number[]>;
  /** The text of a prompt's tokens, and of the first of them. */
  promptText(input: GenerationJob['input'], tokens: readonly number[]): PromptText;
  /** Where the model may think after such a prompt; null: nowhere, as most models. */
  thoughtPlace(input: GenerationJob['input'], tokens: readonly number[]): ThoughtPlace | null;
  /** Events of the request go to `sink`, from a later turn of the event loop on, until the `onEnd` of every choice. */
  submit(request: EngineRequest, sink: GenerationSink): void;
  /** The choices that have not ended end as cancelled. */
  cancel(requestId: string): void;
  /** Makes the PEFT folder resident; at once if it is already. */
  loadAdapter(name: string, folder: string): Promise<void>;
  /**
   * The same for an adapter that nobody waits for yet: after those that somebody waits for, and given up, with false,
   * when it would have to wait for room.
   */
  prefetchAdapter(name: string, folder: string): Promise<boolean>;
  /** One that is resident counts as used now; nothing happens to others. */
  touchAdapter(name: string): void;
  hasAdapter(name: string): boolean;
  adapters(): ResidentAdapter[];
  load(): EngineLoad;
  /** Called once after the events of each engine step have been given to their sinks. */
  onStep: () => void;
  /** Ends all requests as cancelled and frees the memory. */
  close(): Promise<void>;
}

export interface EngineRequest {
  requestId: string;
  promptTokens: number[];
  /** By choice: already emitted by an earlier run of the same generation; not emitted again. */
  resumeTokens: number[][];
  /** What each choice is thought to be; empty: nothing is. */
  predictionTokens: number[];
  adapter: string | null;
  /** Requests with different salts share nothing of what is computed. */
  cacheSalt: string;
  sampling: Sampling;
  /** Choices, each with tokens and an end of its own. */
  n: number;
  logprobs: number | null;
  /** Alternatives with the log probability of each prompt token; null: none asked for. */
  promptLogprobs: number | null;
  constraint: Constraint | null;
  /** The constraint holds after it. */
  thought: ThoughtPlace | null;
  /** Whether somebody tells calls from the text, and so wants the marks that models write around them. */
  readsCalls: boolean;
}

/** The prompt has begun a thought, or the answer may begin with one, or it is written in channels, some of which are thoughts'. */
export type ThoughtPlace = 'open' | 'possible' | 'channels';

export interface PromptText {
  text: string;
  opening: string;
}

export interface GenerationSink {
  /** If asked for, once before all else: of each prompt token but the first. */
  onPrompt(logprobs: TokenLogprob[]): void;
  onTokens(tokens: EngineTokens): void;
  onEnd(end: EngineEnd): void;
}

export interface EngineTokens {
  choice: number;
  tokens: number[];
  /** A thought's begins with its mark, whoever has written that. */
  text: string;
  /** Tokens that have turned out to be the thought's. */
  reasoningTokens: number;
  /** One per token, if asked for. */
  logprobs: TokenLogprob[] | null;
}

export interface EngineEnd {
  choice: number;
  /** Text that was held back and turned out to be wanted. */
  text: string;
  finishReason: FinishReason;
  /** The stop string that ended it, which is not in the text. */
  stop?: string;
  promptTokens: number;
  /** Of the prompt tokens, those that were found computed. */
  cachedTokens: number;
  /** Of the prediction's tokens, those that the choice has. */
  predictedTokens: number;
  error: EngineFailure | null;
}

export interface ResidentAdapter {
  name: string;
  bytes: number;
  /** In use by a request. */
  pinned: boolean;
}

export interface EngineLoad {
  device: string;
  running: number;
  waiting: number;
  kvBlocksTotal: number;
  kvBlocksFree: number;
  adaptersResident: number;
  adapterBytes: number;
  adapterBytesMax: number;
  stepMs: number;
}

/** A failure in terms the consumer acts on; `error` is what the caller may see. */
export class EngineFailure extends Error {
  constructor(
    /** The engine's stable code, such as `out_of_memory`. */
    readonly engineCode: string,
    readonly error: ArilError,
    options?: ErrorOptions,
  ) {
    super(`${engineCode}: ${error.message}`, options);
    this.name = 'EngineFailure';
  }
}
