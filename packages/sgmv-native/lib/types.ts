/**
 * The engine as JavaScript sees it. Lengths are tokens, sizes bytes, times milliseconds.
 */
import type { AdapterProblem, AdapterReport } from './adapter-report.js';

export type { AdapterProblem, AdapterReport };

export interface EngineOptions {
  /** A `.gguf` file, or a folder with `config.json` and `*.safetensors`. */
  model: string;
  /** Positions per KV block, at most 1024. Default 16. */
  kvBlockSize?: number;
  /**
   * Bytes that resident adapters and the KV cache share: of both, what has been idle longest makes room. Default: `kvBytes`
   * and `adapterBytes` together, where one that is not given counts as a quarter of available memory (at most 2 GiB) and
   * as 1 GiB; on CUDA with neither given, most of what is free there.
   */
  memoryBytes?: number;
  /** Bytes that the KV cache may take of these at most. Default: all that adapters leave. */
  kvBytes?: number;
  /** Bytes that resident adapters may take at most. Default: all but what one request of full context needs. */
  adapterBytes?: number;
  /** Requests decoded together. Default 64. */
  maxBatch?: number;
  /** Tokens per step, prefill and decode together. Default 256. */
  maxStepTokens?: number;
  /**
   * Drafts fill a step up to this many tokens: several tokens of a request, guessed from its own text or its prediction, are
   * verified at once. 0 = none. Outputs are the same either way, on CUDA with `batchInvariant`. Default 8 on the CPU, 0 on CUDA.
   */
  draftTokens?: number;
  /**
   * Whether prompts reuse the KV blocks of earlier requests that began alike, had the same adapter and the same
   * `cacheSalt`. Outputs are the same either way. Default true.
   */
  prefixCache?: boolean;
  /** Worker threads; 0 = one per core. */
  threads?: number;
  /** One of `cpuInfo().isas`; default the best there is. */
  isa?: string;
  /**
   * `cpu`, `cuda:0` …, or `auto`: the first CUDA device, else the CPU. On a machine without CUDA the CPU stands in for
   * any of them, see `ModelInfo.deviceNote`. Default `auto`.
   */
  device?: string;
  /** CUDA: outputs that do not depend on the batch, to the bit, as the CPU's never do. Default false. */
  batchInvariant?: boolean;
  /** CUDA: bytes of host memory for adapters that left the device, so that they come back fast. Default 4 GiB. */
  adapterHostBytes?: number;
  /**
   * Base weights. `f32`: the stored numbers exactly, multiplied in float32. `bf16`: rounded to bfloat16, multiplied with
   * bfloat16 activations. CPU only: `int8`, a scale per 32 inputs (4- and 8-bit blocks of a GGUF stay as they are),
   * multiplied with 8-bit activations. CUDA only: `f16`; `fp8`, 8-bit floating point with a scale per output. Default
   * `auto`: `int8` on the CPU, `bf16` on CUDA.
   */
  weightType?: 'auto' | WeightType;
  /**
   * Adapters. `stored`: as their files are. Default `auto`: `int8`, or `stored` with `weightType: 'f32'`; on CUDA the type
   * of the weights' inputs. Possible there besides: `int8`, half the bytes, where the inputs have 16 bits.
   */
  adapterType?: 'auto' | AdapterType;
  /**
   * Keys and values. Default `auto`: `f16`, or `f32` with `weightType: 'f32'`; on CUDA the type of the weights' inputs, and no
   * other is possible there.
   */
  kvType?: 'auto' | KvType;
  /** Bytes each token id stands for; null for special tokens (they give no text). Needed for text and `stop`. */
  vocabulary?: (Uint8Array | null)[];
}

export type WeightType = 'f32' | 'f16' | 'bf16' | 'int8' | 'fp8';
export type AdapterType = 'stored' | 'f32' | 'f16' | 'bf16' | 'int8';
export type KvType = 'f32' | 'f16' | 'bf16';

/**
 * Adjustments come first, in this order: repetition penalty, frequency and presence penalty, logit bias, minimum
 * length. Then temperature, top-k, top-p, min-p. Greedy choices are made among the adjusted logits too.
 */
export interface SamplingOptions {
  /** 0 = greedy. */
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  /**
   * Unsigned 32 bit. The draw for a position depends on (seed, position) only. Choice c of a request draws with
   * the seed `(seed + c * 0x9E3779B9) mod 2^32`, so choice 0 has the seed itself.
   */
  seed: number;
  /**
   * Divides positive and multiplies negative logits of tokens in the prompt or the completion, as in Transformers
   * and vLLM. 1 = off; above 0.
   */
  repetitionPenalty: number;
  /** Subtracted once per occurrence in the completion, as in OpenAI's API. -2 to 2. */
  frequencyPenalty: number;
  /** Subtracted once from tokens that occur in the completion. -2 to 2. */
  presencePenalty: number;
  /** Added to the logits of these token ids. -100 to 100. */
  logitBias: Record<number, number>;
  /** Tokens that would end the generation (the model's end tokens, `stopTokens`) cannot be chosen before. */
  minTokens: number;
}

/**
 * Whether the prompt has begun a thought (`<think>`) that the completion goes on with, or the completion may begin with one;
 * or thoughts, texts and calls are messages in channels (`lib/chat/channels.ts`), whose marks the vocabulary has then.
 */
export type ThoughtPlace = 'open' | 'possible' | 'channels';

/** What the completion must be. The whole of it: nothing comes before, and only an end token after. */
export type Constraint =
  /** A JSON object, whatever is in it. */
  | { type: 'json' }
  /**
   * JSON that satisfies the schema (an object or its JSON text), on one line. What cannot be kept of the schema is
   * refused; with `relaxed`, and in the definitions (`$defs`) named by `relaxedDefinitions`, it is left out.
   */
  | { type: 'jsonSchema'; schema: object | string; relaxed?: boolean; relaxedDefinitions?: readonly string[] }
  /**
   * Calls of functions, in any of the forms that models write them in (`lib/constraint/frames.ts`). Of each the arguments
   * are what `schema.$defs` has under its name. With `required` there is nothing but calls; without, a call that was begun
   * by its mark is kept, and all else is free. Without `parallel` there is one call at most. With `answer` there is either
   * one call or what `schema.$defs` has under that name.
   */
  | {
      type: 'calls';
      schema: Readonly<Record<string, unknown>>;
      functions: readonly string[];
      relaxedDefinitions?: readonly string[];
      required: boolean;
      parallel: boolean;
      answer?: string;
    }
  | { type: 'regex'; pattern: string }
  /** XGrammar's EBNF, much like llama.cpp's GBNF; the rule `root` is the whole. */
  | { type: 'grammar'; grammar: string };

export interface GenerationRequest {
  /** Unique among unfinished requests. */
  id: string;
  promptTokens: Int32Array | number[];
  /**
   * Tokens already generated by an earlier, interrupted run of this same request. They count as completion
   * tokens and are not emitted again; generation goes on as if it had never stopped. With `n` above 1: a list per
   * choice. A choice that its tokens already end gets its `end` at once.
   */
  resumeTokens?: Int32Array | number[] | (Int32Array | number[])[];
  /** What the completion is thought to be, in large parts: drafts follow it. It changes no output. */
  predictionTokens?: Int32Array | number[];
  /** The name given to `loadAdapter`; absent = base model. */
  adapter?: string;
  /**
   * Requests share KV blocks of equal beginnings only if they have the same salt: give each tenant its own, so that
   * none can tell from the timing what another has sent.
   */
  cacheSalt?: string;
  /** Completions of the one prompt, 1 to 16, each with events and an end of its own. Default 1. */
  n?: number;
  sampling?: Partial<SamplingOptions>;
  maxTokens: number;
  stop?: string[];
  stopTokens?: number[];
  /** Give no text in this request, as special tokens do; such as marks that nobody reads. A few. */
  silentTokens?: number[];
  ignoreEos?: boolean;
  /**
   * Tokens that would break it cannot be chosen. Refused here, or once it has been compiled by an end with the code
   * `constraint_invalid`. With a complete text the request ends, whatever `minTokens` says. Needs a vocabulary.
   */
  constraint?: Constraint;
  /** Of models that think: the constraint holds for what follows the thought. Default: there is none. */
  thought?: ThoughtPlace;
  /** Log-probabilities of the chosen tokens and this many of the likeliest, 0 to 20; absent = none. */
  logprobs?: number;
  /**
   * The same for the prompt's tokens, told once before the first new token. All of the prompt is then computed, whatever
   * the prefix cache holds.
   */
  promptLogprobs?: number;
  /** For tests and tools: `last` = logits that chose each token, `prompt` = all prompt positions once. */
  logits?: 'none' | 'last' | 'prompt';
}

export type FinishReason = 'stop' | 'length' | 'cancelled' | 'error';

export interface TokenLogprob {
  token: number;
  /** Log-softmax of the model's own logits, before penalties, bias and temperature. */
  logprob: number;
}

export interface TokenLogprobs extends TokenLogprob {
  /** The likeliest tokens, best first, as many as were asked for. */
  top: TokenLogprob[];
}

export interface TokensEvent {
  type: 'tokens';
  id: string;
  /** Which of the request's completions, from 0. */
  choice: number;
  tokens: number[];
  /** One per token, if asked for. */
  logprobs?: TokenLogprobs[];
  /** Text released by these tokens; may lag behind them, see `end.text`. Empty without a vocabulary. */
  text: string;
  /** With `logits: 'last'`: [tokens.length, vocab]. */
  logits?: Float32Array;
}

/** Of all choices, before the first token of any; only if something of it was asked for. */
export interface PromptEvent {
  type: 'prompt';
  id: string;
  /** With `promptLogprobs`: of each prompt token but the first, before which there is nothing; absent when it is alone. */
  logprobs?: TokenLogprobs[];
  /** With `logits: 'prompt'`: [promptTokens, vocab] */
  logits?: Float32Array;
}

export interface EndEvent {
  type: 'end';
  id: string;
  choice: number;
  text: string;
  finishReason: FinishReason;
  /** The stop string that ended it, which is not in the text. */
  stop?: string;
  promptTokens: number;
  completionTokens: number;
  /** Prompt tokens whose keys and values were found in the prefix cache. */
  cachedTokens: number;
  /** Of `predictionTokens`, those that the completion has where it followed them, whether or not it was drafted. */
  predictedTokens: number;
  error?: { code: string; message: string };
}

export type EngineEvent = PromptEvent | TokensEvent | EndEvent;

/** Values by size: `counts[i]` were at most `bounds[i]` and above the bound before, the last count above all bounds. */
export interface Distribution {
  bounds: number[];
  counts: number[];
  sum: number;
}

export interface EngineStats {
  device: string;
  running: number;
  waiting: number;
  kvBlockSize: number;
  /** Blocks that have memory, and those for which there is memory that nobody has. */
  kvBlocksTotal: number;
  /** Of them, those that no request uses, cached ones included. */
  kvBlocksFree: number;
  /** Free blocks that still hold a prefix a request may reuse; the least recently used are overwritten first. */
  kvBlocksCached: number;
  /** Tokens of admitted requests that were looked up in the prefix cache, and those found, since the start. */
  prefixQueriedTokens: number;
  prefixHitTokens: number;
  adaptersResident: number;
  adapterBytes: number;
  /** What adapters may take at most, whatever the KV cache has. */
  adapterBytesMax: number;
  /** Of KV blocks that have memory. */
  kvBytes: number;
  /** What adapters and blocks share. */
  memoryBytesMax: number;
  /** Mean over the last steps; 0 before the first. */
  stepMs: number;
  /** From submission to the first admission, and to the first new token: means over the last completions. */
  queueMs: number;
  ttftMs: number;
  steps: number;
  tokensGenerated: number;
  /** Computed in drafts, and those of them that were drawn too. */
  draftedTokens: number;
  acceptedTokens: number;
  preemptions: number;
  /** Of all steps since the start: how long, in seconds, and of how many sequences, tokens and segments with an adapter. */
  stepSeconds: Distribution;
  stepSequences: Distribution;
  stepTokens: Distribution;
  stepSegments: Distribution;
  /** Of all adapters that became resident: from the first look at their files, waiting for room included. */
  adapterLoadSeconds: Distribution;
  adapterLoadsFailed: number;
  /** Dropped to make room for another, or for KV blocks. */
  adaptersEvicted: number;
}

export interface ModelShape {
  modelType: string;
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Of layers that see everything beside others that slide, where their heads are others (Gemma 4); null: they are not. */
  fullAttention: { kvHeads: number; headDim: number } | null;
  /** Of latent attention: the numbers of a token and layer that the cache holds, for all heads; null: keys and values are heads'. */
  latentWidth: number | null;
  maxPositions: number;
  endTokens: number[];
  bosToken: number | null;
  /** Of a mixture of experts; null: the model has none. */
  experts: { count: number; perToken: number; size: number } | null;
}

/** A model as it is loaded. */
export interface ModelInfo extends ModelShape {
  /** `cpu`, `cuda:0` … */
  device: string;
  /** Why it is not the device that was asked for; null: it is. */
  deviceNote: string | null;
  /** Whether outputs do not depend on the batch, to the bit. */
  batchInvariant: boolean;
  weightBytes: number;
  weightType: WeightType;
  adapterType: AdapterType;
  kvType: KvType;
  kvBytesPerToken: number;
}

/**
 * One base model on one device. Computation has its own threads; no method blocks the event loop.
 * `onEvents` gets all events of one engine step in one call, in order.
 */
export interface Engine {
  readonly model: ModelInfo;
  onEvents: (events: EngineEvent[]) => void;
  /**
   * Throws `EngineError` with `bad_argument`, `constraint_invalid`, `context_too_long`, `adapter_unknown` or
   * `closed`.
   */
  submit(request: GenerationRequest): void;
  /** All choices of the request end with `cancelled`, those that have ended excepted. Unknown ids are ignored. */
  cancel(id: string): void;
  /** Makes the PEFT folder resident under `name`; at once if it is already. Rejects with `EngineError`. */
  loadAdapter(name: string, folder: string): Promise<void>;
  /**
   * The same for an adapter that nobody waits for yet: it is loaded after those that somebody waits for, and given
   * up, with false, when it would have to wait for room. Rejects as `loadAdapter` does.
   */
  prefetchAdapter(name: string, folder: string): Promise<boolean>;
  /** Drops `name` once no request uses it; false if it was not resident. */
  unloadAdapter(name: string): boolean;
  adapters(): { name: string; bytes: number; pinned: boolean }[];
  stats(): EngineStats;
  /** Ends every request with `cancelled`, stops the threads, frees the memory. */
  close(): Promise<void>;
}

/** A LoRA factor over tokens [tokenBegin, tokenEnd): A is [rank, in], B is [out, rank], row-major. */
export interface FactorSegment {
  tokenBegin: number;
  tokenEnd: number;
  rank: number;
  /** 16-bit numbers are bit patterns in a Uint16Array. Default `f32`. */
  type?: 'f32' | 'f16' | 'bf16';
  data: Float32Array | Uint16Array;
  /** Expand only. */
  scale?: number;
}
