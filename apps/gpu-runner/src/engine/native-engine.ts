import {
  ChannelMeter,
  channelsAfter,
  createEngine,
  EngineError,
  markless,
  ModelTokenizer,
  THOUGHT_BEGIN,
  version,
  thoughtAfter,
  ThoughtMeter,
  withMarks,
  type Engine,
  type EngineEvent,
  type EngineStats,
  type GenerationRequest as NativeRequest,
  type MarkTokens,
} from '@aril/sgmv-native';
import type { GenerationJob } from '@aril/contracts';
import type { Config } from '../config.js';
import { adapterFailure, requestFailure } from './engine-failures.js';
import type { EngineEnd, EngineLoad, EngineRequest, EngineTokens, GenerationSink, InferenceEngine, PromptText, ResidentAdapter, ThoughtPlace } from './inference-engine.js';
import { slotsOf } from './slots.js';
import { TokenTexts } from './token-texts.js';
import { Tokenizing } from './tokenizing.js';

/** The native engine and the model's own tokenizer behind the consumer's interface. */
export class NativeEngine implements InferenceEngine {
  readonly #sinks = new Map<string, OpenRequest>();
  onStep: () => void = () => {};

  private constructor(
    private readonly engine: Engine,
    private readonly tokenizing: Tokenizing,
    private readonly texts: TokenTexts,
    private readonly tokenizer: Pick<ModelTokenizer, 'hasThoughts' | 'toolsNote' | 'channels'> & { marks: MarkTokens },
  ) {
    engine.onEvents = (events) => this.#dispatch(events);
  }

  /** Takes as long as reading the weights; the event loop stays free. */
  static async start(config: Config): Promise<NativeEngine> {
    const tokenizer = await ModelTokenizer.load(config.MODEL_DIR);
    const vocabulary = tokenizer.vocabulary();
    const { channels, hasThoughts, toolsNote } = tokenizer;
    const slots = slotsOf(config);
    const engine = await createEngine({
      model: config.MODEL_WEIGHTS ?? config.MODEL_DIR,
      vocabulary: channels ? withMarks(vocabulary, channels) : vocabulary,
      memoryBytes: config.MEMORY_BYTES,
      kvBytes: config.KV_BYTES,
      adapterBytes: config.ADAPTER_BYTES,
      maxBatch: slots.engine,
      // Every answer gets a token in every step.
      maxStepTokens: config.MAX_STEP_TOKENS ?? (slots.engine > 256 ? slots.engine : undefined),
      draftTokens: config.DRAFT_TOKENS,
      threads: config.ENGINE_THREADS,
      device: config.ARIL_DEVICE,
      batchInvariant: config.BATCH_INVARIANT,
      adapterHostBytes: config.ADAPTER_HOST_BYTES,
      weightType: config.WEIGHT_TYPE,
      adapterType: config.ADAPTER_TYPE,
      kvType: config.KV_TYPE,
    });
    // The tokenizer itself is left to the threads that have one each.
    const names = new Map([...vocabulary.entries()].flatMap(([token, bytes]) => (bytes ? [] : [[token, tokenizer.nameOf(token)]])));
    const tokenizing = new Tokenizing({ modelDir: config.MODEL_DIR, positions: engine.model.maxPositions }, tokenizer.floor());
    return new NativeEngine(engine, tokenizing, new TokenTexts(vocabulary, (token) => names.get(token) ?? ''), { hasThoughts, toolsNote, channels, marks: tokenizer.markTokens() });
  }

  /** Why the engine is not where the configuration wants it; null: it is. */
  get deviceNote(): string | null {
    return this.engine.model.deviceNote;
  }

  /** Why tools may be told in words although the model has a template for them; null: they are not. */
  get toolsNote(): string | null {
    return this.tokenizer.toolsNote;
  }

  encode(input: GenerationJob['input'], signal?: AbortSignal): Promise<number[]> {
    return this.tokenizing.encode(input, signal);
  }

  encodePrediction(text: string, signal?: AbortSignal): Promise<number[]> {
    return this.tokenizing.encodePrediction(text, signal);
  }

  promptText(input: GenerationJob['input'], tokens: readonly number[]): PromptText {
    const text = input.kind === 'prompt' ? input.prompt : this.texts.joined(tokens);
    return { text, opening: tokens.slice(0, 1).map((token) => this.texts.textOf(token)).join('') };
  }

  thoughtPlace(input: GenerationJob['input'], tokens: readonly number[]): ThoughtPlace | null {
    if (input.kind !== 'messages') return null;
    const { channels, hasThoughts } = this.tokenizer;
    if (channels) return channelsAfter(tokens.slice(-THOUGHT_MARK_TOKENS), channels, (last) => this.texts.joined(last)) ? 'channels' : null;
    if (!hasThoughts) return null;
    const place = thoughtAfter(this.texts.joined(tokens.slice(-THOUGHT_MARK_TOKENS)));
    // In the middle of an answer no thought begins.
    return place === 'possible' && input.continueFinal ? null : place;
  }

  submit(request: EngineRequest, sink: GenerationSink): void {
    const heard = request.sampling.maxTokens > 0 ? sink : promptOnly(sink);
    this.#sinks.set(request.requestId, { sink: heard, choices: request.n, thoughts: this.#thoughtsOf(request) });
    try {
      this.engine.submit({ ...nativeRequest(request), silentTokens: this.#silentTokens(request), stopTokens: this.#stopTokens(request) });
    } catch (error) {
      this.#sinks.delete(request.requestId);
      throw requestFailure(codeOf(error), messageOf(error), error);
    }
  }

  cancel(requestId: string): void {
    this.engine.cancel(requestId);
  }

  async loadAdapter(name: string, folder: string): Promise<void> {
    try {
      await this.engine.loadAdapter(name, folder);
    } catch (error) {
      // Tenants see this sentence: it names their file, not where the runner keeps it.
      throw adapterFailure(codeOf(error), messageOf(error).replaceAll(`${folder}/`, ''), error);
    }
  }

  prefetchAdapter(name: string, folder: string): Promise<boolean> {
    return this.engine.prefetchAdapter(name, folder);
  }

  touchAdapter(name: string): void {
    // Of a resident adapter no file is read; one that is dropped at this moment is none that needs to be kept.
    if (this.hasAdapter(name)) this.engine.prefetchAdapter(name, name).catch(() => {});
  }

  hasAdapter(name: string): boolean {
    return this.adapters().some((adapter) => adapter.name === name);
  }

  adapters(): ResidentAdapter[] {
    return this.engine.adapters();
  }

  load(): EngineLoad {
    return this.engine.stats();
  }

  /** All that the engine counts of itself. Throws when it is closed. */
  stats(): EngineStats {
    return this.engine.stats();
  }

  /** What does not change while it runs, in words. */
  get facts(): Record<'version' | 'device' | 'model_type' | 'weight_type' | 'adapter_type' | 'kv_type', string> {
    const { device, modelType, weightType, adapterType, kvType } = this.engine.model;
    return { version, device, model_type: modelType, weight_type: weightType, adapter_type: adapterType, kv_type: kvType };
  }

  /** Of the KV cache, per block. */
  get kvBlockBytes(): number {
    return this.engine.model.kvBytesPerToken * this.engine.stats().kvBlockSize;
  }

  async close(): Promise<void> {
    await Promise.all([this.engine.close(), this.tokenizing.close()]);
  }

  #dispatch(events: EngineEvent[]): void {
    for (const event of events) {
      const open = this.#sinks.get(event.id);
      if (!open) continue;
      if (event.type === 'prompt') open.sink.onPrompt(this.texts.logprobs(event.logprobs ?? []));
      else if (event.type === 'end') this.#end(event, open);
      else open.sink.onTokens(this.#tokensOf(event, open));
    }
    this.onStep();
  }

  /** Marks that nobody reads are hidden, as all special tokens are. A constraint may be of such, and gets what it allows. */
  #silentTokens({ constraint, thought, readsCalls }: EngineRequest): number[] {
    const { thoughts, calls } = this.tokenizer.marks;
    if (constraint) return [];
    const channels = thought === null ? (this.tokenizer.channels?.marks.keys() ?? []) : [];
    return [...(thought === null ? thoughts : []), ...channels, ...(readsCalls ? [] : calls)];
  }

  /** In channels, and where calls wait for results, also those that end an answer: a model's files may not name them all. */
  #stopTokens({ thought, readsCalls, sampling: { stopTokens, ignoreEos } }: EngineRequest): number[] {
    const { channels, marks } = this.tokenizer;
    if (ignoreEos) return stopTokens;
    return [...stopTokens, ...(thought === 'channels' ? (channels?.last ?? []) : []), ...(readsCalls ? marks.last : [])];
  }

  #thoughtsOf({ thought, n, resumeTokens }: EngineRequest): Thought[] {
    if (thought === null) return [];
    return Array.from({ length: n }, (_, choice) => {
      const meter = this.#meterOf(thought);
      const resumed = resumeTokens[choice] ?? [];
      meter.read(resumed);
      return { meter, unwritten: thought === 'open' && resumed.length === 0 ? THOUGHT_BEGIN : '' };
    });
  }

  #meterOf(thought: ThoughtPlace): Meter {
    const bytesOf = (token: number): Uint8Array | null => this.texts.bytesOf(token);
    if (thought !== 'channels') return new ThoughtMeter(thought, bytesOf);
    return new ChannelMeter(this.tokenizer.channels?.marks ?? new Map(), bytesOf);
  }

  #tokensOf(event: TokensEvent, { thoughts }: OpenRequest): EngineTokens {
    const logprobs = event.logprobs ? this.texts.logprobs(event.logprobs) : null;
    const thought = thoughts[event.choice];
    const reasoningTokens = thought?.meter.read(event.tokens) ?? 0;
    const text = (thought?.unwritten ?? '') + textOf(event.text, thought);
    if (thought) thought.unwritten = '';
    return { choice: event.choice, tokens: event.tokens, text, reasoningTokens, logprobs };
  }

  #end(event: EndEvent, open: OpenRequest): void {
    open.choices -= 1;
    if (open.choices === 0) this.#sinks.delete(event.id);
    const end = endOf(event);
    open.sink.onEnd({ ...end, text: textOf(end.text, open.thoughts[event.choice]) });
  }
}

/** Marks in an answer that is not in channels are hidden, as special tokens are. */
const textOf = (text: string, thought: Thought | undefined): string => (thought?.meter.isPlain ? markless(text) : text);

/** As many as the mark of a thought and the spaces after it can be. */
const THOUGHT_MARK_TOKENS = 24;

type TokensEvent = Extract<EngineEvent, { type: 'tokens' }>;
type EndEvent = Extract<EngineEvent, { type: 'end' }>;

interface OpenRequest {
  sink: GenerationSink;
  /** Those that have not ended. */
  choices: number;
  /** By choice; empty: there is no thought. */
  thoughts: Thought[];
}

interface Meter {
  read(tokens: readonly number[]): number;
  isPlain?: boolean;
}

interface Thought {
  meter: Meter;
  /** The mark that the prompt ended in. */
  unwritten: string;
}

function nativeRequest(request: EngineRequest): NativeRequest {
  const { requestId, promptTokens, resumeTokens, predictionTokens, adapter, cacheSalt, sampling, n, logprobs, promptLogprobs, constraint, thought } = request;
  const { maxTokens, stop, stopTokens, ignoreEos, ...howToSample } = sampling;
  return {
    id: requestId,
    promptTokens,
    resumeTokens: resumeTokens.some((tokens) => tokens.length > 0) ? resumeTokens : undefined,
    predictionTokens,
    adapter: adapter ?? undefined,
    cacheSalt,
    sampling: howToSample,
    // The engine has no answers of none: see `promptOnly`.
    maxTokens: Math.max(1, maxTokens),
    stop,
    stopTokens,
    ignoreEos,
    n,
    logprobs: logprobs ?? undefined,
    promptLogprobs: promptLogprobs ?? undefined,
    constraint: constraint ?? undefined,
    thought: thought ?? undefined,
  };
}

/** Hears of the prompt, and nothing of the one token that the engine says after it. */
const promptOnly = (sink: GenerationSink): GenerationSink => ({
  onPrompt: (logprobs) => sink.onPrompt(logprobs),
  onTokens: () => {},
  onEnd: (end) => sink.onEnd({ ...end, text: '', stop: undefined, finishReason: end.finishReason === 'stop' ? 'length' : end.finishReason }),
});

function endOf({ choice, text, finishReason, stop, promptTokens, cachedTokens, predictedTokens, error }: EndEvent): EngineEnd {
  const failure = error ? requestFailure(error.code, error.message) : null;
  return { choice, text, finishReason, stop, promptTokens, cachedTokens, predictedTokens, error: failure };
}

const codeOf = (error: unknown): string => (error instanceof EngineError ? error.code : 'internal');
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
